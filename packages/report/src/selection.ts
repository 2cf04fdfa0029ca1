import type { FinishedRun, Study } from '@localgrad/experiments';
import type { EvaluationSet } from '@localgrad/train';
import { isDiverged } from './comparison/diverged.js';

type Accuracies = Pick<FinishedRun['summary'], 'testAccuracy' | 'bestTestAccuracy' | 'validation'>;

/**
 * The images by which a study chooses epochs and values: validation images if all of its runs hold some out, since accuracies
 * on different images cannot be compared; else test images, which biases what is chosen upward.
 */
export function selectionOf({ conditions }: Pick<Study, 'conditions'>): EvaluationSet {
  const runs = conditions.flatMap((condition) => condition.runs).filter((run) => !isDiverged(run));
  const areHeldOut = runs.length > 0 && runs.every(({ summary }) => summary.validation !== undefined);
  return areHeldOut ? 'validation' : 'test';
}

/** Accuracy after the last epoch by which values are chosen; null if there is none. */
export function choiceAccuracyOf({ testAccuracy, validation }: Accuracies, selection: EvaluationSet): number | null {
  return selection === 'test' ? testAccuracy : (validation?.accuracy ?? null);
}

/** Test accuracy after the epoch that is best on the images of the selection; null if there is none. */
export function bestEpochAccuracyOf(
  { bestTestAccuracy, validation }: Accuracies,
  selection: EvaluationSet,
): number | null {
  return selection === 'test' ? bestTestAccuracy : (validation?.best?.testAccuracy ?? null);
}

/** How the best epoch was chosen, for the notes of a table. */
export function bestEpochNote(selection: EvaluationSet): string {
  return selection === 'test'
    ? 'is selected on the test set and biased upward'
    : 'is selected on held-out training images, so that the test set chooses nothing';
}
