import type * as tf from '@tensorflow/tfjs';
import { broadcast_util } from '@tensorflow/tfjs';
import { type KernelContext, pieces } from './context.js';

/** Blocks of the inner dimension, of rows and of columns, as in assembly/matrix-product.ts. */
const DEPTH = 256;
const HEIGHT = 128;
const WIDTH = 128;
/** Columns per tile. */
const LANES = 8;
/** Number of pieces: enough to balance threads, few enough that little is packed twice. */
const PIECES = 16;
/** Number of pieces of a batch of products, each by one thread. */
const BATCH_PIECES = 64;
/** Narrower pieces would read every row of a for little work. */
const MINIMUM_COLUMNS = 64;
/** Rows of a piece where all columns fit into one. */
const MINIMUM_ROWS = 32;
/** Number of multiply-accumulates below which one thread finishes before the others wake up. */
const MINIMUM_PRODUCTS_FOR_THREADS = 2 ** 18;

/** Addresses of the matrices of a product. */
interface Addresses {
  readonly left: number;
  readonly right: number;
  readonly to: number;
}

/** Sizes of a product; transposed, a is [inner, rows] and b [columns, inner]. */
interface Sizes {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** a·b with optional transposes. */
export function matMul(
  context: KernelContext,
  a: tf.Tensor2D,
  b: tf.Tensor2D,
  transposeA: boolean,
  transposeB: boolean,
): tf.Tensor2D {
  const sizes = sizesOf(a.shape, b.shape, transposeA, transposeB);
  const product = context.heap.allocate<tf.Tensor2D>([sizes.rows, sizes.columns]);
  multiply(context, addresses(context, a, b, product), sizes);
  return product;
}

/**
 * The products of matrices in the last two axes, with optional transposes. The other axes of a and b are the same, or one of the two has
 * a single matrix.
 */
export function batchMatMul(
  context: KernelContext,
  a: tf.Tensor,
  b: tf.Tensor,
  transposeA: boolean,
  transposeB: boolean,
): tf.Tensor {
  const sizes = sizesOf(a.shape.slice(-2), b.shape.slice(-2), transposeA, transposeB);
  const { rows, inner, columns } = sizes;
  const [lefts, rights] = [a.size / (rows * inner), b.size / (inner * columns)];
  const batch = broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const product = context.heap.allocate([...batch, rows, columns]);
  const { left, right, to } = addresses(context, a, b, product);
  const count = Math.max(lefts, rights);
  const aStep = lefts === 1 ? 0 : 4 * rows * inner;
  const bStep = rights === 1 ? 0 : 4 * inner * columns;
  if (count < PIECES) {
    for (let index = 0; index < count; index++) {
      const at = { left: left + index * aStep, right: right + index * bStep, to: to + 4 * index * rows * columns };
      multiply(context, at, sizes);
    }
    return product;
  }
  const { pool } = context;
  const panelBytes = panelBytesOf(sizes);
  const wanted = count * rows * inner * columns < MINIMUM_PRODUCTS_FOR_THREADS ? 1 : BATCH_PIECES;
  const matrices = pieces(count, wanted);
  context.scratch(panelBytes * pool.threads, (panels) => {
    pool.runEvenly(
      'matrixProducts',
      matrices,
      [left, right, to, panels],
      [rows, inner, columns, transposeA ? 1 : 0, transposeB ? 1 : 0, aStep, bStep, panelBytes],
    );
  });
  return product;
}

function sizesOf(a: readonly number[], b: readonly number[], transposeA: boolean, transposeB: boolean): Sizes {
  const [rows = 0, inner = 0] = transposeA ? [...a].reverse() : a;
  return { rows, inner, columns: b[transposeB ? 0 : 1] ?? 0, transposeA, transposeB };
}

function addresses({ heap }: KernelContext, a: tf.Tensor, b: tf.Tensor, product: tf.Tensor): Addresses {
  return { left: heap.pointer(a), right: heap.pointer(b), to: heap.pointer(product) };
}

function panelBytesOf({ rows, inner, columns, transposeA }: Sizes): number {
  const width = Math.min(WIDTH, LANES * Math.ceil(columns / LANES)) + (transposeA ? Math.min(HEIGHT, rows) : 0);
  return 4 * Math.min(DEPTH, inner) * width;
}

/**
 * Threads share the rows and, where these are few, the columns; each sum is computed by one thread in the order of the inner
 * dimension, so that the number of threads does not change a bit.
 */
function multiply({ pool, scratch }: KernelContext, { left, right, to }: Addresses, sizes: Sizes): void {
  const { rows, inner, columns, transposeA, transposeB } = sizes;
  const wanted = rows * inner * columns < MINIMUM_PRODUCTS_FOR_THREADS ? 1 : PIECES;
  const minimumRows = columns < 2 * MINIMUM_COLUMNS ? MINIMUM_ROWS : HEIGHT;
  const rowParts = pieces(rows, wanted, wanted === 1 ? 1 : minimumRows);
  const columnParts = pieces(columns, Math.ceil(wanted / rowParts.count), wanted === 1 ? LANES : MINIMUM_COLUMNS);
  const panelBytes = panelBytesOf(sizes);
  scratch(panelBytes * pool.threads, (panels) => {
    pool.run('matrixProduct', rowParts.count * columnParts.count, (piece) => [
      ...[left, right, to, panels],
      ...rowParts.bounds(Math.floor(piece / columnParts.count)),
      ...columnParts.bounds(piece % columnParts.count),
      ...[rows, inner, columns, transposeA ? 1 : 0, transposeB ? 1 : 0, panelBytes],
    ]);
  });
}
