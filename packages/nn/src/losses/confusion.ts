import {
  add,
  any,
  argMax,
  cast,
  matMul,
  mul,
  notEqual,
  oneHot,
  onesLike,
  type Rank,
  reshape,
  slice,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  tidy,
  where,
  zerosLike,
} from '@tensorflow/tfjs';

/**
 * Number of rows by true and predicted class, float32 [classes, classes]: exact for up to 2²⁴ rows. A row counts for the
 * first of the classes with the highest score. All numbers are NaN if a labeled row has the score NaN, which is in no order with
 * the others. Owned by the caller.
 *
 * @param scores [n, classes]; borrowed
 * @param labels int32 [n]; borrowed
 * @param ignore label of the rows that count nowhere
 */
export function confusionCounts(scores: Tensor2D, labels: Tensor1D, ignore: number): Tensor2D {
  return sumOverRows(scores, labels, (someScores, someLabels) => {
    const [rows, classes] = someScores.shape;
    const indicators = (of: Tensor) => reshape<Rank.R2>(cast(oneHot(of, classes), 'float32'), [rows, classes]);
    const isLabeled = notEqual(someLabels, ignore);
    const actual = indicators(where(isLabeled, someLabels, zerosLike(someLabels)));
    const ones = onesLike(cast(isLabeled, 'float32'));
    const ordered = where(any(notEqual(someScores, someScores), 1), mul(ones, Number.NaN), ones);
    const weights = where(isLabeled, ordered, zerosLike(ones));
    const counted = mul<Tensor2D>(actual, reshape<Rank.R2>(weights, [rows, 1]));
    return matMul<Tensor2D>(counted, indicators(argMax(someScores, 1)), true);
  });
}

/** A whole image has millions of pixels, and temporary tensors of several times the size of its scores. */
const rowsAtOnce = 2 ** 18;

/** Sum of a function of rows and labels over parts of them, so that its temporary tensors are small. Owned by the caller. */
export function sumOverRows<Sum extends Tensor>(
  scores: Tensor2D,
  labels: Tensor1D,
  of: (scores: Tensor2D, labels: Tensor1D) => Sum,
): Sum {
  const [rows, classes] = scores.shape;
  if (rows <= rowsAtOnce) return tidy(() => of(scores, labels));
  return tidy(() => {
    const sums = Array.from({ length: Math.ceil(rows / rowsAtOnce) }, (_, part) => {
      const start = part * rowsAtOnce;
      const count = Math.min(rowsAtOnce, rows - start);
      return tidy(() => of(slice(scores, [start, 0], [count, classes]), slice(labels, start, count)));
    });
    return sums.reduce((total, one) => add<Sum>(total, one));
  });
}

/**
 * Metrics of a confusion matrix, [classes × classes] by true and predicted class: `accuracy`, the fraction of rows that are
 * right; `meanAccuracy`, the mean over the classes of the fraction of their rows that are right; `meanIoU`, the mean over the
 * classes of intersection over union. Means omit classes that no row has, or that no row has or is predicted to have.
 */
export function confusionMetrics(matrix: Float64Array): Readonly<Record<string, number>> {
  const classes = Math.sqrt(matrix.length);
  const order = Array.from({ length: classes }, (_, index) => index);
  const cell = (row: number, column: number) => matrix[row * classes + column] ?? Number.NaN;
  const right = order.map((index) => cell(index, index));
  const actual = order.map((row) => sum(order.map((column) => cell(row, column))));
  const predicted = order.map((column) => sum(order.map((row) => cell(row, column))));
  const ratios = (totals: readonly number[]) =>
    totals.flatMap((total, index) => (total > 0 ? [(right[index] ?? Number.NaN) / total] : []));
  const unions = order.map((index) => (actual[index] ?? 0) + (predicted[index] ?? 0) - (right[index] ?? 0));
  return {
    accuracy: sum(right) / sum(actual),
    meanAccuracy: mean(ratios(actual)),
    meanIoU: mean(ratios(unions)),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

/** Rows of the last axis: [n, classes]. The result shares the tensor's data. */
export function asScoreRows(scores: Tensor): Tensor2D {
  return reshape(scores, [-1, scores.shape[scores.rank - 1] ?? 1]);
}
