import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ImageDataset } from '../dataset.js';

const fixtures = fileURLToPath(new URL('fixtures', import.meta.url));

/** Content of a file as read by numpy and scipy (scripts/reader_fixtures.py). */
export interface Expectation {
  readonly shape: readonly number[];
  readonly sha256: string;
  readonly labels: readonly number[];
}

type Expectations = Readonly<Record<string, Readonly<Record<string, Expectation>>>>;

export const expectations: Expectations = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8'));
export const folds: readonly (readonly number[])[] = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8'))
  .stl10.folds;

/** Converts a data set to the form of an expectation. */
export function summarize({ size, imageShape, images, labels }: ImageDataset): Expectation {
  const sha256 = createHash('sha256').update(images).digest('hex');
  return { shape: [size, ...imageShape], sha256, labels: [...labels] };
}

/** Creates a temporary folder with fixtures under the names of the original files. */
export function folderOf(files: Readonly<Record<string, string>>): { folder: string; dispose(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'localgrad-readers-'));
  for (const [name, fixture] of Object.entries(files)) copyFileSync(join(fixtures, fixture), join(folder, name));
  return { folder, dispose: () => rmSync(folder, { recursive: true }) };
}

export function fixtureBytes(name: string): Buffer {
  return readFileSync(join(fixtures, name));
}
