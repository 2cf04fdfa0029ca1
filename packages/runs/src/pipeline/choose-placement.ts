import { at, LocalgradError, type Optimizer, type Span } from '@localgrad/core';
import type { Batch, CompiledPlan } from '@localgrad/engine';
import {
  balancedPlacement,
  checkOptimizer,
  groupsToDivide,
  type MeasureOptions,
  measureGroups,
  type Placement,
  parsePlacement,
} from '@localgrad/pipeline';
import type { PlanImages } from '../batch-targets.js';
import type { PlanConfig } from '../build-plan.js';
import type { NameOptions } from '../config/resolve-names.js';
import { keptGroupTimes, type TimingConfig } from './group-times.js';

/** What the modules of a run are divided by. */
export type PlacementBasis =
  /** The option `placement`. */
  | 'given'
  /** Measured seconds of a step. */
  | 'time'
  /** Predicted multiply-accumulates of a step. */
  | 'work'
  /** No other division is possible, or would have workers wait less. */
  | 'only';

/** The groups of modules of a run's workers, and why. */
export interface ChosenPlacement {
  readonly placement: Placement;
  readonly basis: PlacementBasis;
  /** Measured seconds of a step of each worker, if that is the basis. */
  readonly seconds?: readonly number[];
  /** Why nothing was measured, if predicted work is the basis. */
  readonly reason?: string;
}

/** A run whose modules are divided. */
export interface DividedRun {
  readonly config: PlanConfig & TimingConfig & { readonly workers: number; readonly placement?: string | undefined };
  readonly compiled: CompiledPlan;
  readonly optimizer: Pick<Optimizer, 'needsWholeStep'>;
  readonly images: PlanImages;
  readonly names: NameOptions;
}

/** How a placement is measured. */
export interface PlacementMeasurement extends Pick<MeasureOptions, 'program' | 'config' | 'backend' | 'signal'> {
  /** Lends the first batch of the run, or one like it. */
  withBatch<Result>(use: (batch: Batch) => Promise<Result>): Promise<Result>;
}

/**
 * Divides the modules of a run: as option `placement` says, or in groups that take equally long. How long modules take is measured
 * once per machine and plan, and kept in the user's cache folder. Without a measurement, groups have equal predicted work.
 *
 * @param measurement absent: use what was measured before
 * @throws LocalgradError `invalid-option`
 */
export async function choosePlacement(run: DividedRun, measurement?: PlacementMeasurement): Promise<ChosenPlacement> {
  const { config, compiled, optimizer } = run;
  const { workers, placement: given } = config;
  if (given !== undefined) {
    const placement = parsePlacement(given, compiled.network.modules.length);
    checkOptimizer(optimizer, placement.length);
    return { placement, basis: 'given' };
  }
  checkOptimizer(optimizer, workers);
  const groups = groupsToDivide(compiled, workers);
  if (groups.length === workers) return { placement: balancedPlacement(compiled, workers), basis: 'only' };
  const times = await timesOf(run, groups, measurement);
  if (typeof times === 'string') {
    return { placement: balancedPlacement(compiled, workers), basis: 'work', reason: times };
  }
  const placement = balancedPlacement(compiled, workers, times);
  const seconds = placement.map(({ range: [first, last] }) =>
    groups.reduce((sum, [from, to], group) => (first <= from && to <= last ? sum + at(times, group, 'group') : sum), 0),
  );
  return { placement, basis: 'time', seconds };
}

/** Seconds of each group, or why they are not known. */
async function timesOf(
  run: DividedRun,
  groups: readonly Span[],
  measurement: PlacementMeasurement | undefined,
): Promise<readonly number[] | string> {
  const kept = await keptGroupTimes(run, groups);
  const times = await kept.read();
  if (times?.length === groups.length) return times;
  if (measurement === undefined) return 'the modules have not been timed on this machine';
  const { withBatch, ...options } = measurement;
  const { accumulate = 1 } = run.config;
  try {
    const measured = await withBatch((batch) =>
      measureGroups({ ...options, compiled: run.compiled, groups, batch, accumulate }),
    );
    await kept.write(measured);
    return measured;
  } catch (error) {
    options.signal?.throwIfAborted();
    // Predicted work needs no measurement; a worker with a real problem reports it when it starts.
    if (LocalgradError.isInstance(error)) return error.message.replace(/\.$/, '');
    throw error;
  }
}

/** E.g. `Placement: 0-3 | 4-7, by measured time: 21 and 20 ms`. */
export function placementText({ placement, basis, seconds = [], reason }: ChosenPlacement): string {
  const groups = placement.map(({ range: [first, last] }) => (first === last ? `${first}` : `${first}-${last}`));
  return `Placement: ${groups.join(' | ')}${basisText(basis, seconds, reason)}`;
}

function basisText(basis: PlacementBasis, seconds: readonly number[], reason: string | undefined): string {
  if (basis === 'time') return `, by measured time: ${list(seconds.map(milliseconds))} ms`;
  if (basis === 'work') return `, by predicted work${reason === undefined ? '' : `: ${reason}`}`;
  return '';
}

function milliseconds(seconds: number): string {
  const value = 1000 * seconds;
  return value < 10 ? value.toPrecision(2) : value.toFixed(0);
}

function list(texts: readonly string[]): string {
  const last = texts.at(-1) ?? '';
  return texts.length < 2 ? last : `${texts.slice(0, -1).join(', ')} and ${last}`;
}
