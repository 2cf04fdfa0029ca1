import { LocalgradError } from '@localgrad/core';
import { Matrix } from './matrix.js';

/**
 * Solves (XᵀX + λ·mean(diag XᵀX)·I) W = XᵀY by Cholesky decomposition, in double precision.
 *
 * @param products XᵀX, row by row, [features, features]
 * @param targets XᵀY, row by row, [features, outputs]
 * @returns W, row by row, [features, outputs]
 * @throws LocalgradError `invalid-data` when the products are not finite
 */
export function fitRidge(
  products: ArrayLike<number>,
  targets: ArrayLike<number>,
  features: number,
  outputs: number,
  ridge: number,
): Float32Array {
  const lower = new Matrix(products, features, features);
  let trace = 0;
  for (let index = 0; index < features; index++) trace += lower.get(index, index);
  if (!Number.isFinite(trace)) throw nonFiniteFeatures();
  decompose(lower, ridge * (trace / features) + Number.MIN_VALUE);
  const solution = new Matrix(targets, features, outputs);
  for (let output = 0; output < outputs; output++) solveColumn(lower, solution, output);
  return solution.toFloat32();
}

/** Replaces the lower triangle of a symmetric matrix plus `added` on its diagonal by its Cholesky factor. */
function decompose(lower: Matrix, added: number): void {
  for (let row = 0; row < lower.rows; row++) {
    for (let column = 0; column <= row; column++) {
      let sum = lower.get(row, column) + (row === column ? added : 0);
      for (let index = 0; index < column; index++) sum -= lower.get(row, index) * lower.get(column, index);
      // Rounding can make the pivot of a collinear feature zero or negative.
      const value = row === column ? Math.sqrt(Math.max(sum, 1e-12 * added)) : sum / lower.get(column, column);
      lower.set(row, column, value);
    }
  }
}

/** Forward and backward substitution. */
function solveColumn(lower: Matrix, solution: Matrix, output: number): void {
  for (let row = 0; row < lower.rows; row++) {
    let sum = solution.get(row, output);
    for (let index = 0; index < row; index++) sum -= lower.get(row, index) * solution.get(index, output);
    solution.set(row, output, sum / lower.get(row, row));
  }
  for (let row = lower.rows - 1; row >= 0; row--) {
    let sum = solution.get(row, output);
    for (let index = row + 1; index < lower.rows; index++) sum -= lower.get(index, row) * solution.get(index, output);
    solution.set(row, output, sum / lower.get(row, row));
  }
}

/** The error of features that a probe cannot use. */
export function nonFiniteFeatures(): LocalgradError {
  return new LocalgradError(
    'invalid-data',
    'A probe found non-finite features (NaN or infinity). Training has probably diverged.',
  );
}
