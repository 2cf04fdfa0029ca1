import { requireLabels } from '@localgrad/kernels';
import type * as tf from '@tensorflow/tfjs';
import { type KernelContext, MINIMUM_FOR_THREADS, pieces } from './context.js';

/** Four double sums for each piece. */
const sumsOfPiece = 4;

/** Mean of the binary cross-entropy from logits, and weight × its gradient. */
export function binaryCrossEntropy(
  { heap, pool, scratch, doubles, values }: KernelContext,
  logits: tf.Tensor4D,
  targets: tf.Tensor4D,
  weight: number,
): { loss: tf.Scalar; gradient: tf.Tensor4D } {
  const { size, shape } = logits;
  const gradient = heap.allocate<tf.Tensor4D>(shape);
  const loss = heap.allocate<tf.Scalar>([]);
  const parts = pieces(size, size < MINIMUM_FOR_THREADS ? 1 : 16, 64);
  const count = sumsOfPiece * parts.count;
  const total = scratch(8 * count, (sums) => {
    const pointers = [logits, targets, gradient].map((tensor) => heap.pointer(tensor));
    pool.run('binaryCrossEntropy', parts.count, (piece) => [
      ...pointers,
      sums + 8 * sumsOfPiece * piece,
      ...parts.bounds(piece),
      weight / size,
    ]);
    return doubles(sums, count).reduce((sum, value) => sum + value, 0);
  });
  values(loss)[0] = total / size;
  return { loss, gradient };
}

/** Mean over the batch of −log softmax(logits)[label], and weight × its gradient. */
export function softmaxCrossEntropy(
  { heap, pool, scratch, doubles, integers, values }: KernelContext,
  logits: tf.Tensor2D,
  labels: tf.Tensor1D,
  weight: number,
): { loss: tf.Scalar; gradient: tf.Tensor2D } {
  const [batch, classes] = logits.shape;
  requireLabels(integers(heap.pointer(labels), batch), classes);
  const gradient = heap.allocate<tf.Tensor2D>([batch, classes]);
  const loss = heap.allocate<tf.Scalar>([]);
  const rows = pieces(batch, logits.size < MINIMUM_FOR_THREADS ? 1 : 16);
  const total = scratch(8 * rows.count, (sums) => {
    const pointers = [logits, labels, gradient].map((tensor) => heap.pointer(tensor));
    pool.run('softmaxCrossEntropy', rows.count, (piece) => [
      ...pointers,
      sums + 8 * piece,
      ...rows.bounds(piece),
      classes,
      weight / batch,
    ]);
    return doubles(sums, rows.count).reduce((sum, value) => sum + value, 0);
  });
  values(loss)[0] = total / batch;
  return { loss, gradient };
}
