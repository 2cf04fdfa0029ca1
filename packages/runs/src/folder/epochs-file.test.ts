import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrainingEvent } from '@localgrad/train';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EpochsFile } from './epochs-file.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-epochs-'));
  file = join(folder, 'epochs.csv');
});
afterEach(() => rmSync(folder, { recursive: true }));

const epoch = (number: number): TrainingEvent => ({
  type: 'epoch-end',
  epoch: number,
  epochs: 3,
  losses: { final: 0.5 },
  learningRate: 1,
  seconds: 1,
  imagesPerSecond: 1,
  peakBytes: 1,
});
const epochsIn = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(',')[0]);
const epochs = () => epochsIn(readFileSync(file, 'utf8'));
const open = (done: number) => EpochsFile.open(file, done, () => {});

it('keeps the rows of completed epochs when it is opened again, and drops later ones', async () => {
  const first = await open(0);
  const observer = first.observer();
  for (const number of [1, 2, 3]) observer.observe(epoch(number));
  first.close();
  const second = await open(1);
  second.observer().observe(epoch(2));
  second.sync();
  second.close();
  expect(epochs()).toEqual(['epoch', '1', '2']);
});

it('writes the header again if the table was lost', async () => {
  const table = await open(2);
  table.observer().observe(epoch(3));
  table.close();
  expect(epochs()).toEqual(['epoch', '3']);
});

it('is out of reach for an attempt that was taken over', async () => {
  const sleeper = await open(0);
  const asleep = sleeper.observer();
  asleep.observe(epoch(1));
  const successor = await open(1);
  const awake = successor.observer();
  awake.observe(epoch(2));
  asleep.observe(epoch(2));
  asleep.observe(epoch(3));
  awake.observe(epoch(3));
  expect(epochs()).toEqual(['epoch', '1', '2', '3']);
  for (const table of [sleeper, successor]) table.close();
});

it('is renamed only while the run is claimed', async () => {
  (await open(0)).close();
  const opened = EpochsFile.open(file, 0, () => {
    throw new Error('taken over');
  });
  await expect(opened).rejects.toThrow('taken over');
  expect(readFileSync(file, 'utf8')).toBe('');
});
