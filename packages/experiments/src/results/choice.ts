import type { JsonObject } from '@localgrad/core';
import type { EvaluationSet } from '@localgrad/train';
import type { FinishedRun } from './study.js';

/**
 * The images by which a study chooses epochs and values: validation images, if all of its conditions hold some out, since
 * accuracies on different images cannot be compared; else test images, which biases what is chosen upward.
 */
export function selectionOf(conditions: readonly { readonly config: JsonObject }[]): EvaluationSet {
  const areHeldOut = conditions.length > 0 && conditions.every(({ config }) => (config.validation ?? null) !== null);
  return areHeldOut ? 'validation' : 'test';
}

/** Accuracies after the last epoch on the images of the selection, without diverged runs, in the order of the runs. */
export function lastAccuracies(runs: readonly Pick<FinishedRun, 'summary'>[], selection: EvaluationSet): number[] {
  return runs.flatMap(({ summary: { status, testAccuracy, validation } }) => {
    const accuracy = selection === 'test' ? testAccuracy : (validation?.accuracy ?? null);
    return status === 'diverged' || accuracy === null ? [] : [accuracy];
  });
}

/**
 * The candidate with the highest mean accuracy after the last epoch, the first of equal ones; 0 if none has an accuracy.
 *
 * @param candidates for each, the runs that make the choice
 */
export function bestCandidate(
  candidates: readonly (readonly Pick<FinishedRun, 'summary'>[])[],
  selection: EvaluationSet,
): number {
  const means = candidates.map((runs) => {
    const accuracies = lastAccuracies(runs, selection);
    return accuracies.reduce((sum, accuracy) => sum + accuracy, 0) / accuracies.length;
  });
  const best = Math.max(...means.filter((mean) => !Number.isNaN(mean)));
  return Math.max(0, means.indexOf(best));
}
