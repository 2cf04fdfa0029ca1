import type { JsonObject } from '@localgrad/core';
import type { RunEnvironment, RunSummary } from '@localgrad/runs';

/** A finished run as its folder tells it. */
export interface FinishedRun {
  readonly folder: string;
  readonly seed: number;
  readonly summary: RunSummary;
  readonly environment: RunEnvironment | null;
}

/** One row of an ablation: everything but the seed is fixed. */
export interface Condition {
  /** Identifies the condition in its study. */
  readonly key: string;
  /** Readable, e.g. `DGL + MLM, K = 8`. */
  readonly name: string;
  /** Value of every factor of the study that the condition has, e.g. `{ host: 'DGL', add: 'MLM', modules: '8' }`. */
  readonly labels: Readonly<Record<string, string>>;
  /** Resolved, without the seed. */
  readonly config: JsonObject;
  /** Finished ones, by seed. */
  readonly runs: readonly FinishedRun[];
  /** Seeds that were asked for. */
  readonly seeds: readonly number[];
}

/** Which conditions are tested against which: those that differ in `factor` alone, against its value `baseline`. */
export interface ComparisonRule {
  readonly factor: string;
  readonly baseline: string;
}

/** A sweep with its results: what reports are made of. */
export interface Study {
  /** Name of the experiment, also of its folder. */
  readonly name: string;
  readonly title: string;
  /** One or more paragraphs; what is asked and how. */
  readonly description: string;
  /** Names of the factors in the order of the columns. */
  readonly factors: readonly string[];
  readonly conditions: readonly Condition[];
  readonly compare: ComparisonRule | null;
  /** Key of the condition that stands for end-to-end training, if there is one. */
  readonly reference: string | null;
  /** The experiment file, as it was written. */
  readonly source: string;
  /** Commands that make these results, in order. */
  readonly commands: readonly string[];
  /** Damaged files of single runs, one sentence each. */
  readonly problems?: readonly string[];
}
