import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { becomesClass, isInside } from './output-path.js';

let root: string;
const at = (...names: string[]) => join(root, ...names);
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'localgrad-output-'));
  for (const folder of ['photos/cat', 'photos/dog', 'split/train/cat', 'split/test/cat', 'parquet', 'photos-2']) {
    mkdirSync(at(folder), { recursive: true });
  }
  writeFileSync(at('parquet', 'train.parquet'), '');
  symlinkSync(at('photos'), at('link'));
});
afterAll(() => rmSync(root, { recursive: true }));

describe('isInside', () => {
  it.each([
    ['photos', true],
    ['photos/new', true],
    ['photos/new/deeper', true],
    ['photos/..new', true],
    ['link/new', true],
    ['photos/cat/../../elsewhere', false],
    ['photos-2', false],
    ['photos-new', false],
    ['.', false],
  ])('%s: %s', async (path, expected) => {
    expect(await isInside(at('photos'), at(path))).toBe(expected);
    expect(await isInside(at('link'), at(path))).toBe(expected);
  });
});

describe('becomesClass', () => {
  it.each([
    ['photos', 'photos', true],
    ['photos', 'photos/runs/a', true],
    ['photos', 'photos/cat', true],
    ['photos', 'photos/cat/runs', false],
    ['photos', 'photos/.runs/a', false],
    ['photos', 'photos-2/a', false],
    ['split', 'split/runs/a', false],
    ['split', 'split/train/runs', true],
    ['split', 'split/test/runs/a', true],
    ['split', 'split/train/cat/runs', false],
    ['parquet', 'parquet/runs/a', false],
  ])('%s, %s: %s', async (folder, path, expected) => {
    expect(await becomesClass(at(folder), at(path))).toBe(expected);
  });
});
