import { at, LocalgradError, optimizerLabel, requireOption, type Span, type UpdateNeeds } from '@localgrad/core';
import { type CompiledPlan, describePlan } from '@localgrad/engine';
import { multiplyAccumulatesOf } from '@localgrad/nn/cost';
import { type Crossing, crossingsOf } from './crossings.js';
import { formatPlacement, type Placement, rangeText } from './placement.js';

/** Groups of modules that shared weights, for example, keep on one worker, from first to last. */
export function indivisibleGroups(compiled: CompiledPlan): Span[] {
  return groupsBetween(compiled, ({ isPossible }) => isPossible);
}

function groupsBetween(compiled: CompiledPlan, isCut: (crossing: Crossing) => boolean): Span[] {
  const cuts = crossingsOf(compiled).filter(isCut);
  const starts = [0, ...cuts.map(({ cut }) => cut)];
  const { length } = compiled.network.modules;
  return starts.map((start, index) => [start, (starts[index + 1] ?? length) - 1]);
}

/** Cuts in the order of preference: workers wait for each other at the second kind, and more at the third. */
const cutKinds: readonly ((crossing: Crossing) => boolean)[] = [
  ({ isFree }) => isFree,
  ({ isPossible, gradients, delay }) => isPossible && (gradients.length === 0 || delay > 0),
  ({ isPossible }) => isPossible,
];

/**
 * The groups of modules among which `balancedPlacement` divides a plan: those between free cuts, unless there are too few.
 *
 * @param workers number of workers
 * @throws LocalgradError `invalid-option` if there are not enough possible cuts, and for plans with hooks
 */
export function groupsToDivide(compiled: CompiledPlan, workers: number): Span[] {
  requireOption(Number.isInteger(workers) && workers >= 1, 'pipeline', 'workers', workers, 'integers ≥ 1');
  // Here too, before the groups are timed.
  if (workers > 1) checkHooks(compiled);
  const choices = cutKinds.map((isCut) => groupsBetween(compiled, isCut));
  const groups = choices.find(({ length }) => length >= workers) ?? indivisibleGroups(compiled);
  requireOption(
    workers <= groups.length,
    'pipeline',
    'workers',
    workers,
    groups.length === 1
      ? `1, because nothing can be divided: ${reasonOf(compiled, 1)}`
      : `1 to ${groups.length}, because '${compiled.plan.method}' can be divided into modules ${groups.map(rangeText).join(', ')} only`,
  );
  return groups;
}

/**
 * Divides the modules of a plan among workers, so that the worker with the most to do has as little as possible: at free cuts,
 * unless there are too few of them.
 *
 * @param workers number of workers
 * @param costs of the groups of `groupsToDivide`, e.g. the seconds of `measureGroups`. Default: predicted work
 * @throws LocalgradError `invalid-option` if there are not enough possible cuts
 */
export function balancedPlacement(compiled: CompiledPlan, workers: number, costs?: readonly number[]): Placement {
  const groups = groupsToDivide(compiled, workers);
  const loads = costs ?? workOf(compiled, groups);
  if (loads.length !== groups.length || !loads.every((load) => Number.isFinite(load) && load >= 0)) {
    const allowed = `${groups.length} numbers ≥ 0, one for each group of modules`;
    throw new LocalgradError('invalid-option', `balancedPlacement costs: [${loads.join(', ')}]; allowed: ${allowed}.`);
  }
  return bestDivision(loads, workers).map(([first, last], index) => ({
    worker: `worker${index}`,
    range: [at(groups, first, 'group')[0], at(groups, last, 'group')[1]],
  }));
}

function workOf(compiled: CompiledPlan, groups: readonly Span[]): number[] {
  const work = moduleWork(compiled);
  return groups.map(([first, last]) => sum(work.slice(first, last + 1)));
}

/** Predicted multiply-accumulates per sample and step of each module with the heads on its output. */
export function moduleWork(compiled: CompiledPlan): number[] {
  const units = describePlan(compiled, 1).modules.map(({ unitsOfWork }) => unitsOfWork);
  return compiled.modules.map((module, index) => {
    const heads = compiled.heads.get(index) ?? [];
    const own = multiplyAccumulatesOf(module) * at(units, index, 'module');
    return own + 3 * sum(heads.map(({ head }) => multiplyAccumulatesOf(head)));
  });
}

/** Divides loads into consecutive ranges whose largest sum is minimal. */
function bestDivision(loads: readonly number[], parts: number): Span[] {
  if (parts === 1) return [[0, loads.length - 1]];
  // highest[p][end]: the least possible largest sum of the first `end` loads in p + 1 ranges; starts: where the last one starts.
  let highest = loads.map((_, index) => sum(loads.slice(0, index + 1)));
  const starts: number[][] = [];
  for (let part = 1; part < parts; part++) {
    const before = highest;
    const from: number[] = [];
    highest = loads.map((_, end) => {
      let best = Number.POSITIVE_INFINITY;
      for (let start = part; start <= end; start++) {
        const value = Math.max(at(before, start - 1, 'load'), sum(loads.slice(start, end + 1)));
        if (value >= best) continue;
        best = value;
        from[end] = start;
      }
      return best;
    });
    starts.push(from);
  }
  const ranges: Span[] = [];
  let end = loads.length - 1;
  for (const from of starts.reverse()) {
    const start = at(from, end, 'range');
    ranges.unshift([start, end]);
    end = start - 1;
  }
  return [[0, end], ...ranges];
}

/**
 * Checks that workers can train a plan at the same time, with the bits of sequential training.
 *
 * @throws LocalgradError `invalid-option` that names what crosses a cut, and the placements that are possible
 */
export function checkDivisible(compiled: CompiledPlan, placement: Placement): void {
  const starts = new Set(placement.slice(1).map(({ range }) => range[0]));
  const crossing = crossingsOf(compiled).find(({ cut, isPossible }) => starts.has(cut) && !isPossible);
  if (crossing === undefined) {
    if (placement.length > 1) checkHooks(compiled);
    return;
  }
  const allowed = allowedCuts(indivisibleGroups(compiled));
  throw new LocalgradError(
    'invalid-option',
    `placement '${formatPlacement(placement)}': ${reasonText(crossing)}; allowed: ${allowed}.`,
    { where: 'placement', option: 'placement', cut: crossing.cut, allowed },
  );
}

/** The cuts between groups, for errors. */
function allowedCuts(groups: readonly Span[]): string {
  if (groups.length === 1) return 'one worker';
  const cuts = groups.slice(1).map(([first]) => `module ${first}`);
  return `cuts before ${cuts.join(', ')}, e.g. '${groups.map(rangeText).join(' ')}'`;
}

/**
 * Checks that workers can update their modules with an optimizer, which needs no plan: call it before the modules are timed.
 *
 * @param workers number of workers
 * @throws LocalgradError `invalid-option` for several workers and an optimizer with `needsWholeStep`
 */
export function checkOptimizer(optimizer: UpdateNeeds, workers: number): void {
  if (optimizer.needsWholeStep !== true || workers === 1) return;
  const problem = `${optimizerLabel(optimizer)} needs the gradients of all modules in one call, so ${workers} workers cannot update theirs alone; allowed: 1 worker.`;
  const details = { where: 'pipeline', option: 'workers', problem, workers };
  throw new LocalgradError('invalid-option', `pipeline: ${problem}`, details);
}

function checkHooks({ plan }: CompiledPlan): void {
  const [hook] = plan.hooks;
  if (hook === undefined) return;
  const problem = `hook '${hook.name}' of '${plan.method}' may read the weights of all modules after each step; allowed: 1 worker.`;
  const details = { where: 'pipeline', option: 'workers', problem, hook: hook.name };
  throw new LocalgradError('invalid-option', `pipeline: ${problem}`, details);
}

function reasonOf(compiled: CompiledPlan, cut: number): string {
  const crossing = crossingsOf(compiled).find((one) => one.cut === cut);
  return crossing === undefined ? 'the network has one module' : reasonText(crossing);
}

/** Why a cut is not possible. */
function reasonText({ cut, followed, shared, gradients }: Crossing): string {
  const tied = followed.find(({ obstacle }) => obstacle !== undefined);
  if (shared.length === 0 && tied === undefined) {
    return `the gradient of '${gradients[0]}' crosses the cut before module ${cut} without delay, while others are delayed`;
  }
  if (shared.length > 0 || tied === undefined) {
    return `'${shared[0]}' is used on both sides of the cut before module ${cut}`;
  }
  return `head '${tied.head}' on module ${tied.module} follows '${tied.live}' of module ${tied.liveModule} across the cut before module ${cut}, and ${tied.obstacle}`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
