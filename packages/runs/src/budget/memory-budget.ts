import { type BackboneBlock, type Partition, resolvePartition } from '@localgrad/core';
import { costOf } from '@localgrad/nn/cost';
import { configError } from '../config/config-error.js';
import type { Trial, TrialPlans } from './trial-plans.js';

/** How a network is cut and stored to stay within a number of bytes. */
export interface BudgetChoice extends Omit<Trial, 'modules'> {
  readonly budgetBytes: number;
  /** Number of plans that were compared. */
  readonly compared: number;
  /** One sentence. */
  readonly reason: string;
}

/** More modules than these are considered only if fewer do not fit. */
const fewModules = 12;
/** Segments of a recomputed part that are tried. */
const mostSegments = 24;

/** `256MiB` → bytes. @throws LocalgradError about `memoryBudget` */
export function budgetBytesOf(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*(KiB|MiB|GiB)$/.exec(text.trim()) ?? [];
  const powers: Readonly<Record<string, number>> = { KiB: 1, MiB: 2, GiB: 3 };
  const bytes = Number(amount) * 1024 ** (powers[unit ?? ''] ?? Number.NaN);
  if (bytes > 0) return bytes;
  throw configError('memoryBudget', `'${text}'; allowed: a number with KiB, MiB or GiB, e.g. 256MiB.`);
}

/**
 * The least work whose predicted peak is within a budget. A local method is cut into more modules, balanced by their
 * predicted peaks; end-to-end training recomputes as few of its first blocks as possible, in segments.
 *
 * @throws LocalgradError about `memoryBudget` with the lowest peak that was found
 */
export function chooseWithinBudget(
  trials: TrialPlans,
  blocks: readonly BackboneBlock[],
  budgetBytes: number,
  show: (bytes: number) => string,
): BudgetChoice {
  const { best, lowest } =
    trials.measure(evenly(blocks, 2))?.isEndToEnd === true
      ? firstFit(recomputations(trials, blocks), budgetBytes)
      : leastWork(trials, blocks, budgetBytes);
  if (best === undefined) {
    if (lowest === undefined) throw trials.problem ?? configError('memoryBudget', 'the method has no plan.');
    throw configError(
      'memoryBudget',
      `no plan needs at most ${show(budgetBytes)}: the lowest predicted peak is ${show(lowest.peakBytes)}, with ${describe(lowest)}. Use a smaller batch, more micro-batches (accumulate), or a larger budget.`,
      { code: 'out-of-memory' },
    );
  }
  const { modules: _, ...chosen } = best;
  const reason = `${describe(best)}: ${best.unitsOfWork.toFixed(2)} units of work, the least of ${trials.count} plans that stay within ${show(budgetBytes)} (predicted peak ${show(best.peakBytes)}).`;
  return { ...chosen, budgetBytes, compared: trials.count, reason };
}

interface Found {
  readonly best?: Trial | undefined;
  /** The lowest peak, whether it fits or not. */
  readonly lowest?: Trial | undefined;
}

/** Of trials in the order of their work. */
function firstFit(trials: Iterable<Trial>, budgetBytes: number): Found {
  let lowest: Trial | undefined;
  for (const trial of trials) {
    if (trial.peakBytes <= budgetBytes) return { best: trial, lowest };
    if (trial.peakBytes < (lowest?.peakBytes ?? Number.POSITIVE_INFINITY)) lowest = trial;
  }
  return { lowest };
}

/** End-to-end training that recomputes the first blocks: ever more of them, in each number of segments. */
function* recomputations(trials: TrialPlans, blocks: readonly BackboneBlock[]): Generator<Trial> {
  for (let recomputed = 0; recomputed <= blocks.length; recomputed++) {
    const kept = blocks.length - recomputed;
    const options: Trial[] = [];
    for (let segments = Math.min(1, recomputed); segments <= Math.min(recomputed, mostSegments); segments++) {
      const prefix = segments === 0 ? [] : balanced(blocks.slice(0, recomputed), segments);
      const partition = kept === 0 ? prefix : [...prefix, kept];
      const trial = trials.measure(partition, { recompute: prefix.map((_, module) => module) });
      if (trial !== undefined) options.push(trial);
    }
    yield* options.sort((a, b) => a.peakBytes - b.peakBytes);
  }
}

/** A local method in each number of modules from 2: in one module it would be end-to-end training. */
function leastWork(trials: TrialPlans, blocks: readonly BackboneBlock[], budgetBytes: number): Found {
  let best: Trial | undefined;
  let lowest: Trial | undefined;
  for (let modules = 2; modules <= blocks.length; modules++) {
    if (modules > fewModules && best !== undefined) break;
    for (const trial of cuts(trials, blocks, modules, budgetBytes)) {
      if (trial.peakBytes < (lowest?.peakBytes ?? Number.POSITIVE_INFINITY)) lowest = trial;
      if (trial.peakBytes > budgetBytes) continue;
      const isBetter =
        best === undefined ||
        trial.unitsOfWork < best.unitsOfWork ||
        (trial.unitsOfWork === best.unitsOfWork && trial.peakBytes < best.peakBytes);
      if (isBetter) best = trial;
    }
  }
  return { best, lowest };
}

function cuts(trials: TrialPlans, blocks: readonly BackboneBlock[], modules: number, budgetBytes: number): Trial[] {
  const byBytes = balanced(blocks, modules);
  const plain = [evenly(blocks, modules), byBytes].flatMap((sizes) => trials.measure(sizes) ?? []);
  const found = plain.some(({ peakBytes }) => peakBytes <= budgetBytes)
    ? plain
    : [...plain, ...listed(trials.balance(byBytes))];
  // Windows of several modules can be recomputed as well; other plans store one module at a time.
  return found.flatMap((trial) => [trial, ...listed(trials.measure(trial.partition, 'recompute'))]);
}

function listed<Item>(item: Item | undefined): Item[] {
  return item === undefined ? [] : [item];
}

function evenly(blocks: readonly BackboneBlock[], modules: number): Partition {
  const base = Math.floor(blocks.length / modules);
  const extra = blocks.length % modules;
  return Array.from({ length: modules }, (_, index) => base + (index >= modules - extra ? 1 : 0));
}

/** Balanced by the blocks' own activations; the first block counts like any other. */
export function balanced(blocks: readonly BackboneBlock[], modules: number): Partition {
  if (modules === 1) return [blocks.length];
  if (modules === blocks.length) return blocks.map(() => 1);
  return resolvePartition(blocks, { modules, strategy: 'balanced-memory' }, costOf);
}

function describe({ partition, memory, isEndToEnd }: Trial): string {
  const sizes = partition.join(', ');
  if (!isEndToEnd) {
    const again = memory === 'recompute' ? ', recomputed' : '';
    return `${partition.length} ${partition.length === 1 ? 'module' : 'modules'} of ${sizes} blocks${again}`;
  }
  const recomputed = typeof memory === 'string' ? 0 : memory.recompute.length;
  if (recomputed === 0) return 'all activations stored';
  const blocks = partition.slice(0, recomputed).join(', ');
  return `the first ${recomputed === 1 ? 'segment' : `${recomputed} segments`} recomputed (${blocks} of the ${partition.reduce((sum, size) => sum + size, 0)} blocks)`;
}
