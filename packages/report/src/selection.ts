import type { FinishedRun } from '@localgrad/experiments';
import { type EvaluationSet, type Metric, resultsOf } from '@localgrad/train';

/** A metric on test images after the epoch that is best on the images of the selection; null if there is none. */
export function bestEpochOf(summary: FinishedRun['summary'], selection: EvaluationSet, metric: Metric): number | null {
  const { bestTest, best } = resultsOf(summary, metric);
  return selection === 'test' ? bestTest : (best?.test ?? null);
}

/** How the best epoch was chosen, for the notes of a table. */
export function bestEpochNote(selection: EvaluationSet): string {
  return selection === 'test'
    ? 'is selected on the test set and biased upward'
    : 'is selected on held-out training images, so that the test set chooses nothing';
}
