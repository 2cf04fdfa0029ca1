import { LocalgradError } from '@localgrad/core';

/**
 * Solves (XᵀX + λ·mean(diag XᵀX)·I) W = XᵀY by Cholesky's decomposition, in double precision.
 *
 * @param products XᵀX, row by row, [features, features]
 * @param targets XᵀY, row by row, [features, outputs]
 * @returns W, row by row, [features, outputs]
 * @throws LocalgradError `invalid-data` where the products hold something that is not finite
 */
export function fitRidge(
  products: ArrayLike<number>,
  targets: ArrayLike<number>,
  features: number,
  outputs: number,
  ridge: number,
): Float32Array {
  const lower = Float64Array.from(products);
  const at = (row: number, column: number) => row * features + column;
  let trace = 0;
  for (let index = 0; index < features; index++) trace += lower[at(index, index)] as number;
  if (!Number.isFinite(trace)) {
    throw new LocalgradError('invalid-data', 'A probe met features that are not finite; has training diverged?');
  }
  const added = ridge * (trace / features) + Number.MIN_VALUE;
  for (let row = 0; row < features; row++) {
    for (let column = 0; column <= row; column++) {
      let sum = (lower[at(row, column)] as number) + (row === column ? added : 0);
      for (let index = 0; index < column; index++) {
        sum -= (lower[at(row, index)] as number) * (lower[at(column, index)] as number);
      }
      // Rounding can leave nothing of a feature that others span.
      lower[at(row, column)] =
        row === column ? Math.sqrt(Math.max(sum, 1e-12 * added)) : sum / (lower[at(column, column)] as number);
    }
  }
  const solution = Float64Array.from(targets);
  for (let output = 0; output < outputs; output++) {
    for (let row = 0; row < features; row++) {
      let sum = solution[row * outputs + output] as number;
      for (let index = 0; index < row; index++)
        sum -= (lower[at(row, index)] as number) * (solution[index * outputs + output] as number);
      solution[row * outputs + output] = sum / (lower[at(row, row)] as number);
    }
    for (let row = features - 1; row >= 0; row--) {
      let sum = solution[row * outputs + output] as number;
      for (let index = row + 1; index < features; index++)
        sum -= (lower[at(index, row)] as number) * (solution[index * outputs + output] as number);
      solution[row * outputs + output] = sum / (lower[at(row, row)] as number);
    }
  }
  return Float32Array.from(solution);
}
