import { at, LocalgradError } from '@localgrad/core';
import { canonicalJson, inputDifferences } from '@localgrad/runs';
import { accuracyMetric, formatMetric, metricValue, resultsOf } from '@localgrad/train';
import type { StudyPart } from './combine-studies.js';
import type { Condition, FinishedRun, StoppedRun } from './study.js';

/** A condition with the part whose name and labels it has. */
export interface MergedCondition {
  readonly condition: Condition;
  readonly label: string;
}

/**
 * The conditions of all parts: those with the same config become one, with the first run of each seed.
 *
 * @returns the conditions, and a sentence for each omitted run whose results differ from those of the run of its seed
 * @throws LocalgradError `invalid-option` if runs of one condition had different inputs (method files, images, initial weights)
 */
export function mergeConditions(parts: readonly StudyPart[]): {
  readonly conditions: readonly MergedCondition[];
  readonly notices: readonly string[];
} {
  const byKey = new Map<string, MergedCondition[]>();
  for (const { label, study } of parts) {
    for (const condition of study.conditions) {
      byKey.set(condition.key, [...(byKey.get(condition.key) ?? []), { condition, label }]);
    }
  }
  const notices: string[] = [];
  const conditions = [...byKey.values()].map((same): MergedCondition => {
    const runs = same.flatMap(({ condition, label }) => condition.runs.map((run) => ({ run, label })));
    const { condition, label } = same.find(isTuned) ?? at(same, 0, 'condition');
    rejectOtherInputs(condition.name, runs);
    notices.push(...differentResults(condition.name, runs));
    return { label, condition: merged(condition, same) };
  });
  return { conditions, notices };
}

/** Whether its part chooses among its values; only its name in that part says what they belong to. */
function isTuned({ condition }: MergedCondition): boolean {
  return condition.setting !== undefined;
}

function merged(condition: Condition, same: readonly MergedCondition[]): Condition {
  const conditions = same.map((one) => one.condition);
  const runs = bySeed<FinishedRun>(conditions.flatMap((one) => one.runs));
  const finished = new Set(runs.map(({ seed }) => seed));
  const stopped = bySeed<StoppedRun>(conditions.flatMap((one) => one.stopped ?? []));
  const tuned = same.filter(isTuned).map((one) => one.condition);
  return {
    ...condition,
    seeds: sorted(conditions.flatMap(({ seeds }) => seeds)),
    ...(tuned.length === 0 ? {} : { tuneSeeds: sorted(tuned.flatMap(({ tuneSeeds, seeds }) => tuneSeeds ?? seeds)) }),
    runs,
    stopped: stopped.filter(({ seed }) => !finished.has(seed)),
  };
}

function sorted(seeds: readonly number[]): number[] {
  return [...new Set(seeds)].sort((a, b) => a - b);
}

/** The first of each seed. */
function bySeed<Run extends { readonly seed: number }>(runs: readonly Run[]): Run[] {
  const known = new Map<number, Run>();
  for (const run of runs) if (!known.has(run.seed)) known.set(run.seed, run);
  return [...known.values()].sort((a, b) => a.seed - b.seed);
}

interface LabeledRun {
  readonly run: FinishedRun;
  readonly label: string;
}

/** Equal configs may name a file whose content has changed in between. */
function rejectOtherInputs(name: string, runs: readonly LabeledRun[]): void {
  const [first, ...others] = runs.flatMap(({ run, label }) =>
    run.identity === undefined ? [] : [{ run, label, identity: run.identity }],
  );
  if (first === undefined) return;
  for (const other of others) {
    const differences = inputDifferences(first.identity, other.identity);
    if (differences.length === 0) continue;
    const cure =
      first.label === other.label
        ? 'Remove the folder of each outdated run and run the sweep again.'
        : 'Report the sweeps separately, or run one of them again with the inputs of the other, in a new --folder.';
    throw new LocalgradError(
      'invalid-option',
      `The runs of condition '${name}' had different inputs, so that they have no common mean: ${differences.join('; ')}. Compared: ${placeOf(first, 'there')} and ${placeOf(other, 'here')}. ${cure}`,
      { differences, folders: [first.run.folder, other.run.folder] },
    );
  }
}

function placeOf({ run, label }: LabeledRun, place: 'there' | 'here'): string {
  return `seed ${run.seed} of sweep '${label}' (${place}: ${run.folder})`;
}

/** Equal runs have equal results, except on another backend or processor. */
function differentResults(name: string, runs: readonly LabeledRun[]): string[] {
  return runs.flatMap(({ run, label }, index) => {
    const first = runs.find((other) => other.run.seed === run.seed);
    if (first === undefined || first === runs[index] || resultOf(first.run) === resultOf(run)) return [];
    return [
      `Condition '${name}' has different results with seed ${run.seed} in the sweeps '${first.label}' (${resultText(first.run)}) and '${label}' (${resultText(run)}). The report contains the first one.`,
    ];
  });
}

/** What reports show of a run and what does not depend on the load of the machine. */
function resultOf({ summary }: FinishedRun): string {
  const { status, testAccuracy, validation = null, metric = accuracyMetric, epochs } = summary;
  const values = epochs.map((record) => [record.epoch, metricValue(record, 'test', metric) ?? null]);
  return canonicalJson({ status, testAccuracy, validation, values });
}

function resultText({ summary }: FinishedRun): string {
  if (summary.status === 'diverged') return 'diverged';
  const { metric, test } = resultsOf(summary);
  return test === null ? `no test ${metric.name}` : formatMetric(metric, test);
}
