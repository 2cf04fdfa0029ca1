import { accuracyMetric, type MetricResults, resultsOf } from '@localgrad/train';
import { type ConditionRow, chosenOf, type Difference, type StudyView } from '../condition-rows.js';
import type { Accuracy } from '../estimates.js';
import { csvField } from './escape.js';

type CsvRecord = Readonly<Record<string, string | number | null>>;

/** One row per condition: plain numbers, accuracies in [0, 1]; unknown values are empty. Columns are named by the compared metric. */
export function resultsCsv(view: StudyView): string {
  return csvOf(view.rows.map((row) => conditionRecord(row, view)));
}

/** One row per finished run, those that diverged or were stopped early included: `status` distinguishes them. */
export function runsCsv(view: StudyView): string {
  const { metric, name } = view.metric;
  const isAccuracy = metric.name === accuracyMetric.name;
  return csvOf(
    view.rows.flatMap((row) => [
      ...[...row.condition.runs, ...row.diverged].map((run): CsvRecord => {
        const { seed, summary, environment } = run;
        const { cost } = summary;
        const results = resultsOf(summary, metric);
        return {
          ...identity(row, view),
          seed,
          status: row.diverged.includes(run) ? 'diverged' : 'finished',
          run_id: summary.runId,
          backend: summary.backend,
          [`test_${name}`]: results.test,
          [`best_test_${name}`]: results.bestTest,
          ...validationRecord(results, name),
          seconds: summary.seconds,
          total_seconds: summary.totalSeconds,
          peak_bytes: summary.peakBytes,
          predicted_peak_bytes: cost.predictedPeakBytes,
          steps: summary.steps,
          epochs: summary.epochs.length,
          units_of_work: cost.unitsOfWork,
          multiply_accumulates_per_image: cost.multiplyAccumulatesPerImage,
          backbone_parameters: cost.backboneParameters,
          trained_parameters: cost.trainedParameters,
          probe_accuracies: summary.probes?.join(' ') ?? null,
          resumptions: summary.resumptions,
          localgrad: environment?.localgrad ?? null,
          commit: environment?.commit ?? null,
          date: environment?.date ?? null,
          note: summary.divergence ?? null,
        };
      }),
      ...row.stopped.map(
        ({ seed, epoch, testAccuracy, metric: judged, reason }): CsvRecord => ({
          ...identity(row, view),
          seed,
          status: 'stopped',
          epochs: epoch,
          // A run that another metric judged has no value of this one.
          [`best_test_${name}`]: isAccuracy ? testAccuracy : judged?.name === metric.name ? judged.test : null,
          note: reason,
        }),
      ),
    ]),
  );
}

/** Empty for runs without validation images. */
function validationRecord({ validation, best }: MetricResults, name: string): CsvRecord {
  return {
    [`validation_${name}`]: validation,
    [`best_validation_${name}`]: best?.value ?? null,
    best_validation_epoch: best?.epoch ?? null,
    [`best_validation_test_${name}`]: best?.test ?? null,
  };
}

function conditionRecord(row: ConditionRow, view: StudyView): CsvRecord {
  return {
    ...identity(row, view),
    runs: row.condition.runs.length,
    missing_seeds: row.missing.join(' '),
    stopped_seeds: row.stopped.map(({ seed }) => seed).join(' '),
    diverged_seeds: row.diverged.map(({ seed }) => seed).join(' '),
    ...estimateRecord(`test_${view.metric.name}`, row.last),
    ...estimateRecord(`best_test_${view.metric.name}`, row.best),
    ...differenceRecord('baseline', row.toBaseline),
    ...differenceRecord('reference', row.toReference),
    peak_bytes: row.peakBytes,
    seconds: row.seconds?.mean ?? null,
    seconds_deviation: row.seconds?.standardDeviation ?? null,
    units_of_work: row.unitsOfWork,
    multiply_accumulates: row.work,
  };
}

function identity(row: ConditionRow, view: StudyView): CsvRecord {
  const { number, condition } = row;
  const { study } = view;
  const chosen = (study.tune ?? []).map((name) => [`chosen_${name}`, chosenOf(row, view)[name] ?? null]);
  const factors = study.factors.map((factor) => [`factor_${factor}`, condition.labels[factor] ?? null]);
  return { number, condition: condition.key, name: condition.name, ...Object.fromEntries([...factors, ...chosen]) };
}

function estimateRecord(name: string, estimate: Accuracy | null): CsvRecord {
  return {
    [`${name}_mean`]: estimate?.mean ?? null,
    [`${name}_deviation`]: estimate?.standardDeviation ?? null,
    [`${name}_low`]: estimate?.low ?? null,
    [`${name}_high`]: estimate?.high ?? null,
    [`${name}_bca_low`]: estimate?.bootstrap?.[0] ?? null,
    [`${name}_bca_high`]: estimate?.bootstrap?.[1] ?? null,
  };
}

function differenceRecord(name: string, difference: Difference | null): CsvRecord {
  return {
    [name]: difference?.against ?? null,
    [`to_${name}`]: difference?.mean ?? null,
    [`to_${name}_low`]: difference?.low ?? null,
    [`to_${name}_high`]: difference?.high ?? null,
    [`to_${name}_p_holm`]: difference?.p ?? null,
    [`to_${name}_hedges_g`]: difference?.hedgesG ?? null,
  };
}

function csvOf(records: readonly CsvRecord[]): string {
  const header = [...new Set(records.flatMap((record) => Object.keys(record)))];
  const lines = records.map((record) => header.map((name) => record[name] ?? null));
  return `${[header, ...lines].map((line) => line.map(csvField).join(',')).join('\n')}\n`;
}
