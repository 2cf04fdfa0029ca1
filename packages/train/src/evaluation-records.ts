import type { EvaluationResult } from './evaluation.js';

/** The images of an evaluation: validation images are for choices, test images for the result. */
export type EvaluationSet = 'validation' | 'test';

/** The fields of an epoch's record that come from evaluations. */
export interface EvaluationRecord {
  /** Accuracy on the test images, in [0, 1], if the epoch was evaluated and the network is a classifier. */
  readonly testAccuracy?: number;
  /** Loss on the test images, if the epoch was evaluated. */
  readonly testLoss?: number;
  /** All metrics on the test images by name. */
  readonly testMetrics?: Readonly<Record<string, number>>;
  /** Accuracy on the validation images, in [0, 1], if there are any and the network is a classifier. */
  readonly validationAccuracy?: number;
  /** Loss on the validation images, if there are any. */
  readonly validationLoss?: number;
  /** All metrics on the validation images by name. */
  readonly validationMetrics?: Readonly<Record<string, number>>;
  /** Present if a metric of an evaluation is not finite. */
  readonly diverged?: true;
}

/** What the validation images say of a run. */
export interface ValidationSummary {
  /** Accuracy of the last evaluation, in [0, 1]; null if the network is not a classifier. */
  readonly accuracy: number | null;
  /** The epoch with the highest validation accuracy, the first of equals; null if no evaluation has an accuracy. */
  readonly best: BestEpoch | null;
}

/** An epoch that validation images chose. */
export interface BestEpoch {
  /** Epoch, from 1. */
  readonly epoch: number;
  /** Its validation accuracy, in [0, 1]. */
  readonly accuracy: number;
  /** Its test accuracy, which test images did not choose; null without test images. */
  readonly testAccuracy: number | null;
}

/** What an epoch keeps of its evaluations. */
export function recordOfEvaluations(evaluations: ReadonlyMap<EvaluationSet, EvaluationResult>): EvaluationRecord {
  const fields = [...evaluations].flatMap(([set, { accuracy, loss, metrics }]) => [
    ...(accuracy === null ? [] : [[`${set}Accuracy`, accuracy]]),
    [`${set}Loss`, loss],
    [`${set}Metrics`, metrics],
  ]);
  const isDiverged = [...evaluations.values()].some(({ diverged }) => diverged === true);
  return { ...Object.fromEntries(fields), ...(isDiverged ? { diverged: true } : {}) };
}

/** The accuracy by which epochs and runs are chosen: on validation images, or on test images if there are no others. */
export function choiceAccuracy({
  validationAccuracy,
  testAccuracy,
}: {
  readonly [Field in `${EvaluationSet}Accuracy`]?: number | undefined;
}): number | undefined {
  return validationAccuracy ?? testAccuracy;
}

/** Whether an epoch has an evaluation, on any images. */
export function isEvaluated({ testLoss, validationLoss }: EvaluationRecord): boolean {
  return testLoss !== undefined || validationLoss !== undefined;
}

type NumberedRecord = EvaluationRecord & { readonly epoch: number };

/** Last and best test accuracy; the best excludes epochs with non-finite metrics. */
export function accuraciesOf(records: readonly NumberedRecord[]) {
  const evaluated = records.filter(isEvaluated);
  const last = evaluated.at(-1);
  const best = evaluated.flatMap(({ testAccuracy, diverged }) =>
    testAccuracy === undefined || diverged === true ? [] : [testAccuracy],
  );
  const validation = validationOf(records);
  return {
    testAccuracy: last?.testAccuracy ?? null,
    bestTestAccuracy: best.length === 0 ? null : Math.max(...best),
    ...(last?.testMetrics === undefined ? {} : { testMetrics: last.testMetrics }),
    ...(validation === undefined ? {} : { validation }),
    ...(last?.diverged === true ? { diverged: true as const } : {}),
  };
}

/** Undefined without validation images. */
function validationOf(records: readonly NumberedRecord[]): ValidationSummary | undefined {
  const evaluated = records.filter(({ validationLoss }) => validationLoss !== undefined);
  const last = evaluated.at(-1);
  if (last === undefined) return undefined;
  let best: BestEpoch | null = null;
  for (const { epoch, validationAccuracy: accuracy, testAccuracy = null, diverged } of evaluated) {
    if (accuracy === undefined || diverged === true || accuracy <= (best?.accuracy ?? -1)) continue;
    best = { epoch, accuracy, testAccuracy };
  }
  return { accuracy: last.validationAccuracy ?? null, best };
}
