import { type BackboneBlock, type Partition, resolvePartition } from '@localgrad/core';
import { costOf } from '@localgrad/nn/cost';
import type { Trial, TrialPlans } from './trial-plans.js';

/** More modules than these are compared only if fewer do not fit. */
const fewModules = 12;
/** Of more modules that can be recomputed, all or none are. */
const fewReopened = 3;
/** Networks of at most this many blocks are cut in all ways. */
const fewBlocks = 8;

/**
 * Compares plans one by one, for methods whose cost does not follow from their modules: in each number of modules, cut
 * evenly and by activations, and where neither fits, balanced by predicted peaks; all cuts of small networks.
 */
export function* comparedCuts(trials: TrialPlans, budgetBytes: number): Generator<Trial> {
  const { blocks } = trials.options.backbone;
  let isFound = false;
  const fewest = trials.isEndToEnd ? 1 : Math.min(2, blocks.length);
  for (let modules = fewest; modules <= blocks.length; modules++) {
    if (modules > fewModules && isFound) return;
    for (const trial of blocks.length <= fewBlocks
      ? allCuts(trials, modules)
      : someCuts(trials, modules, budgetBytes)) {
      isFound ||= trial.peakBytes <= budgetBytes;
      yield trial;
    }
  }
}

function allCuts(trials: TrialPlans, modules: number): Trial[] {
  const sizes = compositions(trials.options.backbone.blocks.length, modules);
  return sizes.flatMap((one) => withRecomputation(trials, trials.measure(one)));
}

function someCuts(trials: TrialPlans, modules: number, budgetBytes: number): Trial[] {
  const { blocks } = trials.options.backbone;
  const byBytes = balanced(blocks, modules);
  const plain = [evenly(blocks.length, modules), byBytes].flatMap((sizes) => trials.measure(sizes) ?? []);
  const fits = plain.some(({ peakBytes }) => peakBytes <= budgetBytes);
  const moved = fits ? undefined : trials.balance(byBytes);
  return [...plain, ...(moved === undefined ? [] : [moved])].flatMap((trial) => withRecomputation(trials, trial));
}

/** The plan, and the same modules with recomputation of all or, if there are few of them, of some. */
function withRecomputation(trials: TrialPlans, trial: Trial | undefined): Trial[] {
  if (trial === undefined) return [];
  const { partition, reopened } = trial;
  const choices = reopened.length <= fewReopened ? subsetsOf(reopened).slice(1) : [reopened];
  return [trial, ...choices.flatMap((recompute) => trials.measure(partition, { recompute }) ?? [])];
}

/** All subsets, the empty one first. */
export function subsetsOf(list: readonly number[]): number[][] {
  const [first, ...others] = list;
  if (first === undefined) return [[]];
  return subsetsOf(others).flatMap((subset) => [subset, [first, ...subset]]);
}

/** All ordered lists of this many sizes ≥ 1 with this sum. */
export function compositions(sum: number, length: number): number[][] {
  if (length === 1) return [[sum]];
  return Array.from({ length: sum - length + 1 }, (_, index) => index + 1).flatMap((first) =>
    compositions(sum - first, length - 1).map((others) => [first, ...others]),
  );
}

export function evenly(blocks: number, modules: number): Partition {
  const base = Math.floor(blocks / modules);
  const extra = blocks % modules;
  return Array.from({ length: modules }, (_, index) => base + (index >= modules - extra ? 1 : 0));
}

/** Balanced by the blocks' own activations; the first block counts like any other. */
export function balanced(blocks: readonly BackboneBlock[], modules: number): Partition {
  if (modules === 1) return [blocks.length];
  if (modules === blocks.length) return blocks.map(() => 1);
  return resolvePartition(blocks, { modules, strategy: 'balanced-memory' }, costOf);
}
