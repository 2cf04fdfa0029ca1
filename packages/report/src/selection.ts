import type { FinishedRun } from '@localgrad/experiments';
import type { EvaluationSet } from '@localgrad/train';

type Accuracies = Pick<FinishedRun['summary'], 'bestTestAccuracy' | 'validation'>;

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
