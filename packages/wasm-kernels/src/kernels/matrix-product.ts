import type * as tf from '@tensorflow/tfjs';
import { type KernelContext, pieces } from './context.js';

/** Blocks of the inner dimension, of rows and of columns, as in assembly/matrix-product.ts. */
const DEPTH = 256;
const HEIGHT = 128;
const WIDTH = 128;
/** Columns per tile. */
const LANES = 8;
/** Number of pieces: enough to balance threads, few enough that little is packed twice. */
const PIECES = 16;
/** Narrower pieces would read every row of a for little work. */
const MINIMUM_COLUMNS = 64;
/** Rows of a piece where all columns fit into one. */
const MINIMUM_ROWS = 32;
/** Number of multiply-accumulates below which one thread finishes before the others wake up. */
const MINIMUM_PRODUCTS_FOR_THREADS = 2 ** 18;

/**
 * a·b with optional transposes. Threads share the rows and, where these are few, the columns; each sum is computed by one
 * thread in the order of the inner dimension, so that the number of threads does not change a bit.
 */
export function matMul(
  { heap, pool, scratch }: KernelContext,
  a: tf.Tensor2D,
  b: tf.Tensor2D,
  transposeA: boolean,
  transposeB: boolean,
): tf.Tensor2D {
  const [rows, inner] = transposeA ? [a.shape[1], a.shape[0]] : a.shape;
  const columns = transposeB ? b.shape[0] : b.shape[1];
  const product = heap.allocate<tf.Tensor2D>([rows, columns]);
  const [left, right, to] = [heap.pointer(a), heap.pointer(b), heap.pointer(product)];
  const wanted = rows * inner * columns < MINIMUM_PRODUCTS_FOR_THREADS ? 1 : PIECES;
  const minimumRows = columns < 2 * MINIMUM_COLUMNS ? MINIMUM_ROWS : HEIGHT;
  const rowParts = pieces(rows, wanted, wanted === 1 ? 1 : minimumRows);
  const columnParts = pieces(columns, Math.ceil(wanted / rowParts.count), wanted === 1 ? LANES : MINIMUM_COLUMNS);
  const panelWidth = Math.min(WIDTH, LANES * Math.ceil(columns / LANES)) + (transposeA ? Math.min(HEIGHT, rows) : 0);
  const panelBytes = 4 * Math.min(DEPTH, inner) * panelWidth;
  return scratch(panelBytes * pool.threads, (panels) => {
    pool.run('matrixProduct', rowParts.count * columnParts.count, (piece) => [
      left,
      right,
      to,
      panels,
      ...rowParts.bounds(Math.floor(piece / columnParts.count)),
      ...columnParts.bounds(piece % columnParts.count),
      rows,
      inner,
      columns,
      transposeA ? 1 : 0,
      transposeB ? 1 : 0,
      panelBytes,
    ]);
    return product;
  });
}
