import { accuracyMetric, formatMetric, isFraction, type Metric } from '@localgrad/train';
import { lineOf } from '../presentable.js';
import { capital, none, percent, points, signed } from './wording.js';

/** How a report writes about the metric that it compares. */
export interface MetricWords {
  readonly metric: Metric;
  /** In a sentence: `accuracy`, `meanIoU`. */
  readonly name: string;
  /** As a title: `Accuracy`, `meanIoU`. */
  readonly title: string;
  /** `more accurate`, `less accurate`, `most accurate`; `better`, `worse`, `best` of other metrics. */
  readonly more: string;
  readonly less: string;
  readonly most: string;
  /** `higher`, or `lower` if lower values are better. */
  readonly side: 'higher' | 'lower';
  /** Whether values are fractions, shown in per cent and their differences in percentage points. */
  readonly isFraction: boolean;
  /** Of a column of differences: `, points`, or empty. */
  readonly unit: string;
  /** A value: `88.12 %`, `0.3412`. */
  value(value: number | null): string;
  /** A mean and half of its interval: `88.12 ± 0.40 %`. */
  around(mean: number, half: number): string;
  /** A difference without its unit: `+0.51`. */
  signed(difference: number): string;
  /** A difference with its unit: `+0.51 points`. */
  difference(difference: number): string;
}

/** The words for a metric. */
export function wordsOf(metric: Metric): MetricWords {
  const isAccuracy = metric.name === accuracyMetric.name;
  const name = lineOf(metric.name);
  const words = {
    metric,
    name,
    title: /^[a-z]+$/.test(name) ? capital(name) : name,
    more: isAccuracy ? 'more accurate' : 'better',
    less: isAccuracy ? 'less accurate' : 'worse',
    most: isAccuracy ? 'most accurate' : 'best',
    side: metric.lowerIsBetter ? 'lower' : 'higher',
  } as const;
  if (isFraction(metric)) {
    return {
      ...words,
      isFraction: true,
      unit: ', points',
      value: percent,
      around: (mean, half) => `${(100 * mean).toFixed(2)} ± ${(100 * half).toFixed(2)}\u00a0%`,
      signed,
      difference: points,
    };
  }
  const difference = (value: number) => `${value < 0 ? '−' : '+'}${Math.abs(value).toPrecision(3)}`;
  return {
    ...words,
    isFraction: false,
    unit: '',
    value: (value) => (value === null ? none : formatMetric(metric, value)),
    around: (mean, half) => `${formatMetric(metric, mean)} ± ${half.toPrecision(2)}`,
    signed: difference,
    difference,
  };
}
