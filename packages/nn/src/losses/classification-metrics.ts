import {
  equal,
  less,
  lessEqual,
  logicalAnd,
  logicalNot,
  logicalOr,
  mean,
  oneHot,
  range,
  reshape,
  type Scalar,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  tidy,
  where,
  zerosLike,
} from '@tensorflow/tfjs';

/** Minimum number of classes for which `top5` is reported. */
const fewestClassesForTop5 = 10;

/**
 * Fraction of rows whose label has the highest score (`accuracy`) and, for at least 10 classes, one of the five highest
 * (`top5`). Ties are ranked by index; a row whose label has the score NaN counts as wrong.
 *
 * @param scores [n, classes]; borrowed
 * @param labels int32 [n]; borrowed
 */
export function classificationMetrics(scores: Tensor2D, labels: Tensor1D): ReadonlyMap<string, Scalar> {
  const classes = scores.shape[1];
  const ranks = tidy(() => ranksOf(scores, labels));
  const fractionBelow = (rank: number) => tidy(() => mean<Scalar>(less(ranks, rank)));
  const metrics = new Map([['accuracy', fractionBelow(1)]]);
  if (classes >= fewestClassesForTop5) metrics.set('top5', fractionBelow(5));
  ranks.dispose();
  return metrics;
}

/** Number of classes ranked above each row's label. */
function ranksOf(scores: Tensor2D, labels: Tensor1D): Tensor {
  const [rows, classes] = scores.shape;
  const isLabel = equal(oneHot(labels, classes), 1);
  const own = sum(where(isLabel, scores, zerosLike(scores)), 1, true);
  const isEarlier = less(reshape(range(0, classes, 1, 'int32'), [1, classes]), reshape(labels, [rows, 1]));
  // The condition is negated because comparisons with NaN are false.
  const isHigher = logicalNot(lessEqual(scores, own));
  return sum(logicalOr(isHigher, logicalAnd(equal(scores, own), isEarlier)), 1);
}
