import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Observer } from '@localgrad/train';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runConfigSchema } from './config/run-config.js';
import { RunPaused, RunStopped, readEarlyStop, type StopRule } from './early-stop.js';
import { executeRun } from './execute-run.js';
import { readRunState } from './folder/run-state.js';

const config = runConfigSchema.parse({
  ...{ backbone: 'tiny', modules: 2, resize: 8, trainImages: 20, testImages: 20, batch: 20, epochs: 3 },
  ...{ method: 'greedy', backend: 'cpu' },
});

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'localgrad-stop-'));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

/** Epochs that the rule judged, and those that were trained. */
async function attempt(decide: StopRule): Promise<{ judged: number[]; trained: number[]; end: unknown }> {
  const judged: number[] = [];
  const trained: number[] = [];
  const observer: Observer = {
    observe(event) {
      if (event.type === 'epoch-end') trained.push(event.epoch);
    },
  };
  const stopRule: StopRule = (epoch) => {
    judged.push(epoch);
    return decide(epoch);
  };
  const end = await executeRun({
    config,
    folder: join(place, 'run'),
    resume: 'auto',
    observers: [observer],
    stopRule,
  }).catch((error: unknown) => error);
  return { judged, trained, end };
}

const stop = { rule: 'r', epoch: 1, testAccuracy: 0.1, reason: 'hopeless' };

it('pauses a run that its rule cannot judge yet, and resumes it after that epoch', { timeout: 60_000 }, async () => {
  const paused = await attempt((epoch) => (epoch === 2 ? { awaits: "epoch 2 of 'another'" } : undefined));
  expect(paused).toMatchObject({ judged: [1, 2], trained: [1, 2] });
  expect(paused.end).toBeInstanceOf(RunPaused);
  expect(paused.end).toHaveProperty('message', "waits for epoch 2 of 'another'");
  expect(await readRunState(join(place, 'run'))).toMatchObject({ status: 'interrupted', losses: 0 });
  // The epoch is judged again, and the last one never.
  const resumed = await attempt(() => undefined);
  expect(resumed).toMatchObject({ judged: [2], trained: [3], end: { summary: { status: 'finished' } } });
});

it('stops a resumed run before it trains, if the rule had not decided in time', { timeout: 60_000 }, async () => {
  await attempt((epoch) => (epoch === 1 ? { awaits: 'another' } : undefined));
  const { judged, trained, end } = await attempt(() => stop);
  expect([judged, trained]).toEqual([[1], []]);
  expect(end).toBeInstanceOf(RunStopped);
  expect(await readEarlyStop(join(place, 'run'), 'r')).toMatchObject(stop);
  expect(await readRunState(join(place, 'run'), { stopRule: 'r' })).toMatchObject({ status: 'stopped' });
});
