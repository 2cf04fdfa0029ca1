import { broadcast_util, util } from '@tensorflow/tfjs';

export interface Transposes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/**
 * Number of products that each value of a·b adds up, and the shape of a·b: the matrices are the last two axes, the others broadcast.
 *
 * @throws Error if the inner dimensions differ, in the words of the backends of TensorFlow.js
 */
export function productShapeOf(
  a: readonly number[],
  b: readonly number[],
  { transposeA, transposeB }: Transposes,
): { readonly inner: number; readonly shape: number[] } {
  const [rows = 0, inner = 0] = transposeA ? a.slice(-2).reverse() : a.slice(-2);
  const [paired = 0, columns = 0] = transposeB ? b.slice(-2).reverse() : b.slice(-2);
  util.assert(
    inner === paired,
    () =>
      `Error in matMul: inner shapes (${inner}) and (${paired}) of Tensors with shapes ${a} and ${b} ` +
      `and transposeA=${transposeA} and transposeB=${transposeB} must match.`,
  );
  const batch = broadcast_util.assertAndGetBroadcastShape(a.slice(0, -2), b.slice(0, -2));
  return { inner, shape: [...batch, rows, columns] };
}
