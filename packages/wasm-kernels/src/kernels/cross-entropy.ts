import { requireLabels } from '@localgrad/kernels';
import type * as tf from '@tensorflow/tfjs';
import { type KernelContext, MINIMUM_FOR_THREADS, pieces } from './context.js';

/** Four double sums for each piece. */
const sumsOfPiece = 4;

/** The number of classes that labels were last checked for. */
const checkedLabels = new WeakMap<object, number>();

/** Mean of the binary cross-entropy from logits, and weight × its gradient. */
export function binaryCrossEntropy(
  { heap, pool, scratch }: KernelContext,
  logits: tf.Tensor4D,
  targets: tf.Tensor4D,
  weight: number,
): { loss: tf.Scalar; gradient: tf.Tensor4D } {
  const { size, shape } = logits;
  const gradient = heap.allocate<tf.Tensor4D>(shape);
  const loss = heap.allocate<tf.Scalar>([]);
  const parts = pieces(size, size < MINIMUM_FOR_THREADS ? 1 : 16, 64);
  const count = sumsOfPiece * parts.count;
  scratch(8 * count, (sums) => {
    const pointers = [logits, targets, gradient].map((tensor) => heap.pointer(tensor));
    pool.run('binaryCrossEntropy', parts.count, (piece) => [
      ...pointers,
      sums + 8 * sumsOfPiece * piece,
      ...parts.bounds(piece),
      weight / size,
    ]);
    pool.run('meanOfSums', 1, () => [sums, count, size, heap.pointer(loss)]);
  });
  return { loss, gradient };
}

/** Mean over the batch of −log softmax(logits)[label], and weight × its gradient. */
export function softmaxCrossEntropy(
  { heap, pool, scratch, integers }: KernelContext,
  logits: tf.Tensor2D,
  labels: tf.Tensor1D,
  weight: number,
): { loss: tf.Scalar; gradient: tf.Tensor2D } {
  const [batch, classes] = logits.shape;
  // Every head has the same labels, and reading them waits for the kernels.
  if (checkedLabels.get(labels.dataId) !== classes) {
    requireLabels(integers(heap.pointer(labels), batch), classes);
    checkedLabels.set(labels.dataId, classes);
  }
  const gradient = heap.allocate<tf.Tensor2D>([batch, classes]);
  const loss = heap.allocate<tf.Scalar>([]);
  const rows = pieces(batch, logits.size < MINIMUM_FOR_THREADS ? 1 : 16);
  scratch(8 * rows.count, (sums) => {
    const pointers = [logits, labels, gradient].map((tensor) => heap.pointer(tensor));
    pool.run('softmaxCrossEntropy', rows.count, (piece) => [
      ...pointers,
      sums + 8 * piece,
      ...rows.bounds(piece),
      classes,
      weight / batch,
    ]);
    pool.run('meanOfSums', 1, () => [sums, rows.count, batch, heap.pointer(loss)]);
  });
  return { loss, gradient };
}
