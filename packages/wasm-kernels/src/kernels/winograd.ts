import type { Tensor } from '@tensorflow/tfjs';
import { type KernelContext, pieces } from './context.js';
import type { ConvolutionProblem } from './convolution-problem.js';

/** Positions of a transformed tile: 4 × 4. */
const POSITIONS = 16;
/** Output channels per tile of a transformed filter. */
const LANES = 8;
/** Target number of floats of the transformed tiles of a block: they stay in the second-level cache. */
const BLOCK_FLOATS = 32_768;
/** A line of cache lies between the planes of transformed tiles. */
const LINE_FLOATS = 16;
/** A word that kernels set, at the start of the scratch memory. */
const FLAG_BYTES = 16;
/** Fewest tiles of a block: each passes the whole filter. */
const MINIMUM_BLOCK = 16;
/** Most pieces of a batch: enough to balance threads, few enough to be worth a call each. */
const PIECES = 32;
/** Partial filter gradients together: their number follows from the memory that they take. */
const SUM_FLOATS = 1 << 19;
const MINIMUM_SUMS = 4;
const MAXIMUM_SUMS = 16;

type Sizes = Omit<ConvolutionProblem, 'x' | 'filter' | 'isTurned'>;

/**
 * Whether the minimal algorithm F(2×2, 3×3) pays (Lavin and Gray 2016): 3×3 filters at stride 1 whose channels fill vectors,
 * and outputs that are not mostly the border of a tile.
 */
export function suitsWinograd(sizes: Sizes): boolean {
  const { inputShape, outputShape, kernelHeight, kernelWidth, paddingHeight, paddingWidth } = sizes;
  const [, outHeight, outWidth, outChannels] = outputShape;
  const inChannels = inputShape[3];
  const multiplications = POSITIONS * tileCount(outHeight, outWidth);
  return (
    kernelHeight === 3 &&
    kernelWidth === 3 &&
    sizes.strideHeight === 1 &&
    sizes.strideWidth === 1 &&
    paddingHeight === paddingWidth &&
    paddingHeight <= 2 &&
    inChannels % 4 === 0 &&
    outChannels % LANES === 0 &&
    Math.min(inChannels, outChannels) >= LANES &&
    multiplications <= 0.6 * kernelHeight * kernelWidth * outHeight * outWidth
  );
}

/**
 * Convolution into `y` in 16/36 of the multiplications; `suitsWinograd` says where. Returns false if a result is not finite:
 * an infinite input then spoils whole tiles, and the definition has to be computed instead.
 */
export function winogradConvolve(context: KernelContext, problem: ConvolutionProblem, y: Tensor): boolean {
  const { heap, pool } = context;
  const { x, filter, inputShape, outputShape, isTurned } = problem;
  const [batch, , , inChannels] = inputShape;
  const outChannels = outputShape[3];
  const filterFloats = POSITIONS * inChannels * outChannels;
  const blocks = blocksOf(problem);
  const images = pieces(batch, PIECES);
  return context.scratch(4 * (filterFloats + pool.threads * blocks.scratchFloats) + FLAG_BYTES, (flag) => {
    context.integers(flag, 1)[0] = 0;
    const transformed = flag + FLAG_BYTES;
    const [from, to, weights] = [heap.pointer(x), heap.pointer(y), heap.pointer(filter)];
    const groups = pieces(outChannels / LANES, PIECES);
    pool.run('winogradFilter', groups.count, (piece) => [
      weights,
      transformed,
      inChannels,
      outChannels,
      isTurned ? 1 : 0,
      ...groups.bounds(piece),
    ]);
    const scratch = transformed + 4 * filterFloats;
    pool.run('winogradConvolve', images.count, (piece) => [
      from,
      transformed,
      to,
      scratch,
      ...images.bounds(piece),
      ...blocks.sizes,
      flag,
      4 * blocks.scratchFloats,
    ]);
    return context.integers(flag, 1)[0] === 0;
  });
}

/** Filter gradient [3, 3, in, out] into `dw`, by the transpose of `winogradConvolve`; false as there. */
export function winogradFilterGradient(
  context: KernelContext,
  x: Tensor,
  dy: Tensor,
  dw: Tensor,
  sizes: Sizes,
): boolean {
  const { heap, pool } = context;
  const [batch, , , inChannels] = sizes.inputShape;
  const outChannels = sizes.outputShape[3];
  const sumFloats = POSITIONS * inChannels * outChannels;
  const blocks = blocksOf(sizes);
  const images = pieces(batch, Math.max(MINIMUM_SUMS, Math.min(MAXIMUM_SUMS, Math.floor(SUM_FLOATS / sumFloats))));
  return context.scratch(4 * (images.count * sumFloats + pool.threads * blocks.scratchFloats) + FLAG_BYTES, (flag) => {
    context.integers(flag, 1)[0] = 0;
    const sums = flag + FLAG_BYTES;
    const [from, cotangent, to] = [heap.pointer(x), heap.pointer(dy), heap.pointer(dw)];
    const scratch = sums + 4 * images.count * sumFloats;
    pool.run('winogradFilterGradient', images.count, (piece) => [
      from,
      cotangent,
      sums + 4 * sumFloats * piece,
      scratch,
      ...images.bounds(piece),
      ...blocks.sizes,
      flag,
      4 * blocks.scratchFloats,
    ]);
    const parts = pieces(dw.size, 16, 64);
    pool.run('sumArrays', parts.count, (piece) => [sums, to, images.count, sumFloats, ...parts.bounds(piece)]);
    return context.integers(flag, 1)[0] === 0;
  });
}

function tileCount(outHeight: number, outWidth: number): number {
  return Math.ceil(outHeight / 2) * Math.ceil(outWidth / 2);
}

/**
 * The size arguments of the kernels in assembly/, of which the last is the number of tiles that pass at a time, and the floats
 * of a thread's scratch memory: a row of zeros, and the transformed tiles of both sides.
 */
function blocksOf({ inputShape, outputShape, paddingHeight }: Sizes) {
  const [, height, width, inChannels] = inputShape;
  const [, outHeight, outWidth, outChannels] = outputShape;
  const fitting = Math.floor(BLOCK_FLOATS / (POSITIONS * (inChannels + outChannels)));
  // A multiple of four.
  const block = Math.max(MINIMUM_BLOCK, Math.min(64, fitting)) & ~3;
  return {
    sizes: [height, width, inChannels, outHeight, outWidth, outChannels, paddingHeight, block],
    scratchFloats: width * inChannels + POSITIONS * (block * (inChannels + outChannels) + 2 * LINE_FLOATS),
  };
}
