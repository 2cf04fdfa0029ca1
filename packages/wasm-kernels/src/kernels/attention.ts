import type { Tensor4D } from '@tensorflow/tfjs';
import { type KernelContext, pieces } from './context.js';

/** Largest number of queries whose scores are computed at a time. */
const MOST_QUERIES = 128;
/** Number of pieces of the heads of all images, each by one thread. */
const PIECES = 64;
/** Columns per tile, as in assembly/matrix-product.ts. */
const LANES = 8;

/** Sizes of a problem, as in assembly/attention.ts. */
function measures({ shape: [batch, , tokens, channels] }: Tensor4D, heads: number) {
  const width = channels / 3;
  const size = width / heads;
  const blocks = Math.ceil(tokens / MOST_QUERIES);
  // Whole tiles of four rows.
  const height = Math.min(tokens, 4 * Math.ceil(tokens / blocks / 4));
  const padded = LANES * Math.ceil(tokens / LANES);
  const panelRow = LANES * Math.ceil(size / LANES);
  return {
    parts: pieces(batch * heads, PIECES),
    sizes: [tokens, width, heads, height, 1 / Math.sqrt(size)],
    forwardBytes: 4 * (padded * size + tokens * panelRow + height * padded),
    gradientBytes: 4 * (2 * padded * size + (tokens + height) * panelRow + 2 * height * padded + tokens * height),
  };
}

/** softmax(q·kᵀ/√d)·v of each head: [n, 1, tokens, 3·width] → [n, 1, tokens, width]. */
export function attention({ heap, pool, scratch }: KernelContext, x: Tensor4D, heads: number): Tensor4D {
  const [batch, , tokens, channels] = x.shape;
  const { parts, sizes, forwardBytes } = measures(x, heads);
  const y = heap.allocate<Tensor4D>([batch, 1, tokens, channels / 3]);
  const [from, to] = [heap.pointer(x), heap.pointer(y)];
  scratch(forwardBytes * pool.threads, (panels) => {
    pool.runEvenly('attention', parts, [from, to, panels], [...sizes, forwardBytes]);
  });
  return y;
}

/** Consumes dy; borrows x. */
export function attentionGradient(
  { heap, pool, scratch }: KernelContext,
  dy: Tensor4D,
  x: Tensor4D,
  heads: number,
): Tensor4D {
  const { parts, sizes, gradientBytes } = measures(x, heads);
  const dx = heap.allocate<Tensor4D>(x.shape);
  const [cotangent, from, to] = [heap.pointer(dy), heap.pointer(x), heap.pointer(dx)];
  scratch(gradientBytes * pool.threads, (panels) => {
    pool.runEvenly('attentionGradient', parts, [cotangent, from, to, panels], [...sizes, gradientBytes]);
  });
  dy.dispose();
  return dx;
}
