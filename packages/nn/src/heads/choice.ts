import type { Head } from '@localgrad/core';

type Choice = Pick<Head, 'mainMetric' | 'errorMetrics'>;

/** By which metrics epochs and runs are chosen, for a head that measures what another head or a loss does. */
export function choiceOf({ mainMetric, errorMetrics }: Choice = {}): Choice {
  return {
    ...(mainMetric === undefined ? {} : { mainMetric }),
    ...(errorMetrics === undefined ? {} : { errorMetrics }),
  };
}
