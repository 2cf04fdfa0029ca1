import { LocalgradError, rejectUnknownKeys, requireOption } from '@localgrad/core';
import { createRandom } from '@localgrad/nn/random';
import { checkDataset } from './check-dataset.js';
import { type ImageDataset, pick } from './dataset.js';

export interface SplitOptions {
  /** Seed of the selection within each class. Default 0. */
  readonly seed?: number;
}

/** Indices of a stratified split, each in the order of the data set. */
export interface SplitIndices {
  readonly kept: readonly number[];
  readonly heldOut: readonly number[];
}

/**
 * Splits each class: `fraction` of its samples, rounded, is held out, sampled with `seed`. Both parts contain at least one sample
 * of a class with two or more.
 *
 * @throws LocalgradError `invalid-option`
 */
export function stratifiedSplit(labels: ArrayLike<number>, classes: number, fraction: number, seed = 0): SplitIndices {
  requireOption(fraction > 0 && fraction < 1, 'stratifiedSplit', 'fraction', fraction, 'numbers between 0 and 1');
  const held = new Set<number>();
  for (const indices of indicesByClass(labels, classes)) {
    const count = Math.min(Math.max(Math.round(indices.length * fraction), 1), indices.length - 1);
    for (const index of createRandom(seed, 'hold-out').shuffle(indices).slice(0, Math.max(count, 0))) held.add(index);
  }
  const all = Array.from({ length: labels.length }, (_, index) => index);
  return { kept: all.filter((index) => !held.has(index)), heldOut: all.filter((index) => held.has(index)) };
}

/**
 * Splits a data set, stratified by class, into the rest and the held-out fraction. Without labels, all images are of one class.
 *
 * @throws LocalgradError
 */
export function holdOut(
  dataset: ImageDataset,
  fraction: number,
  options: SplitOptions = {},
): { readonly train: ImageDataset; readonly heldOut: ImageDataset } {
  rejectUnknownKeys('holdOut', options, ['seed']);
  checkDataset(dataset);
  const isLabeled = dataset.labels.length > 0;
  const labels = isLabeled ? dataset.labels : new Uint8Array(dataset.size);
  const classes = isLabeled ? dataset.classes.length : 1;
  const { kept, heldOut } = stratifiedSplit(labels, classes, fraction, options.seed);
  return { train: pick(dataset, kept), heldOut: pick(dataset, heldOut) };
}

/** Selects `count` images per class, sampled with a seed, in the order of the data set. @throws LocalgradError */
export function takePerClass(dataset: ImageDataset, count: number, options: SplitOptions = {}): ImageDataset {
  rejectUnknownKeys('takePerClass', options, ['seed']);
  checkDataset(dataset);
  const { name } = dataset;
  const fail = (problem: string): never => {
    throw new LocalgradError('invalid-data', `Data set '${name}' ${problem}, so none can be taken per class.`, {
      name,
    });
  };
  if (dataset.labels.length === 0) fail('has no labels');
  const byClass = indicesByClass(dataset.labels, dataset.classes.length);
  const empty = byClass.findIndex(({ length }) => length === 0);
  if (empty >= 0) fail(`has no image of class '${dataset.classes[empty]}'`);
  const most = byClass.reduce((least, { length }) => Math.min(least, length), dataset.size);
  requireOption(
    Number.isInteger(count) && count >= 1 && count <= most,
    'takePerClass',
    'count',
    count,
    `1 to ${most}, the size of the smallest class`,
  );
  const { seed = 0 } = options;
  const chosen = byClass.flatMap((indices) => createRandom(seed, 'per class').shuffle(indices).slice(0, count));
  return pick(
    dataset,
    chosen.sort((a, b) => a - b),
  );
}

function indicesByClass(labels: ArrayLike<number>, classes: number): number[][] {
  const byClass = Array.from({ length: classes }, (): number[] => []);
  for (let index = 0; index < labels.length; index++) byClass[labels[index] ?? 0]?.push(index);
  return byClass;
}
