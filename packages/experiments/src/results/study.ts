import type { JsonObject } from '@localgrad/core';
import type { RunEnvironment, RunIdentity, RunSummary } from '@localgrad/runs';

/** A finished run, as read from its folder. */
export interface FinishedRun {
  readonly folder: string;
  readonly seed: number;
  readonly summary: RunSummary;
  readonly environment: RunEnvironment | null;
  /** What its result depends on; missing for runs of versions that did not record it. */
  readonly identity?: RunIdentity | undefined;
}

/** A run that the sweep's rule ended early: not a result. */
export interface StoppedRun {
  readonly folder: string;
  readonly seed: number;
  /** Last epoch, from 1. */
  readonly epoch: number;
  /** Best test accuracy up to there, in [0, 1]; null if another metric decided. */
  readonly testAccuracy: number | null;
  /** The metric that decided, unless it was accuracy, and its best value on test images up to there. */
  readonly metric?: { readonly name: string; readonly test: number } | undefined;
  /** A sentence with the numbers that decided. */
  readonly reason: string;
}

/** One row of an ablation: everything except the seed is fixed. */
export interface Condition {
  /** Identifies the condition in its study. */
  readonly key: string;
  /** Readable, e.g. `DGL + MLM, K = 8`. */
  readonly name: string;
  /** Name without the values that it may choose from. Of the conditions with one setting, a report shows the best. */
  readonly setting?: string | undefined;
  /** Value of every factor of the study that the condition has, e.g. `{ host: 'DGL', add: 'MLM', modules: '8' }`. */
  readonly labels: Readonly<Record<string, string>>;
  /** Resolved, without the seed. */
  readonly config: JsonObject;
  /** Finished runs, in the order of seeds. */
  readonly runs: readonly FinishedRun[];
  /** Runs that were stopped early; default: none. */
  readonly stopped?: readonly StoppedRun[];
  /** Requested seeds. */
  readonly seeds: readonly number[];
  /** Those of them that choose among the conditions of its setting; the others run with the chosen one only. Default: all. */
  readonly tuneSeeds?: readonly number[] | undefined;
}

/** Conditions that differ only in `factor` are tested against the one with the value `baseline`. */
export interface ComparisonRule {
  readonly factor: string;
  readonly baseline: string;
}

/** A sweep with its results: the input of a report. */
export interface Study {
  /** Name of the experiment and of its folder. */
  readonly name: string;
  readonly title: string;
  /** One or more paragraphs: the question and the method. */
  readonly description: string;
  /** Names of the factors in the order of the columns. */
  readonly factors: readonly string[];
  /** Factors that conditions choose from; default: none. */
  readonly tune?: readonly string[];
  readonly conditions: readonly Condition[];
  readonly compare: ComparisonRule | null;
  /** Key of the condition for end-to-end training, if any. */
  readonly reference: string | null;
  /** Text of the experiment file. */
  readonly source: string;
  /** Commands that produce these results, in order. */
  readonly commands: readonly string[];
  /** Damaged files of single runs, one sentence each. */
  readonly problems?: readonly string[];
}
