import type { MeasurementEnvironment, RunConfig } from '@localgrad/runs';
import type { EpochRecord } from '@localgrad/train';

/** One trained network. */
export interface SeedResult {
  readonly seed: number;
  readonly runId: string;
  readonly testAccuracy: number;
  readonly peakBytes: number;
  /** Training steps alone. */
  readonly seconds: number;
  readonly epochs: readonly EpochRecord[];
  /** The classifier's training loss, as it was read while training. */
  readonly trainingLoss: readonly { readonly step: number; readonly loss: number }[];
}

/** A method over all seeds. Accuracy and seconds are means, peak bytes the highest. */
export interface MethodResult {
  readonly method: string;
  /** For people: `End to end`. */
  readonly label: string;
  readonly modules: number;
  readonly backend: string;
  readonly testAccuracy: number;
  readonly peakBytes: number;
  readonly predictedPeakBytes: number;
  readonly seconds: number;
  /** Difference in accuracy, and ratios, to training end to end. */
  readonly relativeToBackprop: { readonly accuracy: number; readonly memory: number; readonly time: number };
  readonly config: RunConfig;
  readonly seeds: readonly SeedResult[];
}

/** What `results.json` holds: everything that the report shows. */
export interface QuickstartResults {
  readonly formatVersion: 1;
  readonly environment: MeasurementEnvironment;
  readonly backend: { readonly name: string; readonly threads: number; readonly device: string };
  readonly dataset: {
    readonly name: string;
    readonly trainImages: number;
    readonly testImages: number;
    readonly imageShape: readonly number[];
    readonly classes: number;
  };
  readonly runs: readonly MethodResult[];
  /** Wall-clock time of everything. */
  readonly totalSeconds: number;
}

/** Adds up a method's seeds. The reference is the same of `backprop`. */
export function summarise(
  facts: Pick<MethodResult, 'method' | 'label' | 'modules' | 'backend' | 'predictedPeakBytes' | 'config'>,
  seeds: readonly SeedResult[],
  reference: readonly SeedResult[],
): MethodResult {
  const own = totals(seeds);
  const backprop = totals(reference);
  return {
    ...facts,
    ...own,
    relativeToBackprop: {
      accuracy: own.testAccuracy - backprop.testAccuracy,
      memory: own.peakBytes / backprop.peakBytes,
      time: own.seconds / backprop.seconds,
    },
    seeds,
  };
}

function totals(seeds: readonly SeedResult[]) {
  return {
    testAccuracy: mean(seeds.map(({ testAccuracy }) => testAccuracy)),
    peakBytes: Math.max(...seeds.map(({ peakBytes }) => peakBytes)),
    seconds: mean(seeds.map(({ seconds }) => seconds)),
  };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
