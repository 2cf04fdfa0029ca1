import type { Tensor } from '@tensorflow/tfjs';
import type { Condition } from '../pool/pool.js';
import { type KernelContext, pieces } from './context.js';
import type { ConvolutionProblem } from './convolution-problem.js';
import { copyBytesOf, type ImageCopies, runCopies } from './image-copies.js';

/** Outputs per side of a tile: F(2×2, 3×3) or F(4×4, 3×3). */
export type TileSide = 2 | 4;

/** Output channels per tile of a transformed filter. */
const LANES = 8;
/** Target number of floats of the transformed tiles of a block: they stay in the second-level cache. */
const BLOCK_FLOATS = 32_768;
/** A line of cache lies between planes. */
const LINE_FLOATS = 16;
/** Values of one tile between two passes (PASS_BYTES in assembly/). */
const PASS_FLOATS = 36 * 4;
/** A word that kernels set, at the start of the scratch memory. */
const FLAG_BYTES = 16;
/** Fewest tiles of a block: each passes the whole filter. */
const MINIMUM_BLOCK = 16;
/** Tiles that transforming a filter, and passing it, cost as much as. */
const FILTER_TILES = 20;
/** Most weights per tap for large tiles: transformed, a filter is 36 times as large. */
const MAXIMUM_WEIGHTS = 1 << 16;
/** Fewest tiles of a piece of the batch, which passes the whole filter. */
const MINIMUM_TILES = 8;
/** Most pieces of a batch: enough to balance threads, few enough to be worth a call each. */
const PIECES = 32;
/** Most pieces of a filter gradient, when partial ones are added up. */
const SUM_PIECES = 16;
/** Partial filter gradients together: their number follows from the memory that they take. */
const SUM_FLOATS = 1 << 19;
const MINIMUM_SUMS = 4;
const MAXIMUM_SUMS = 16;

type Sizes = Omit<ConvolutionProblem, 'x' | 'filter' | 'isTurned'>;

/**
 * Tiles of the minimal algorithm that pays (Lavin and Gray 2016); undefined if none does: it takes 3×3 filters at stride 1 whose
 * channels fill vectors, and outputs that are not mostly the border of a tile.
 */
export function winogradSide(sizes: Sizes): TileSide | undefined {
  const { inputShape, outputShape, kernelHeight, kernelWidth, paddingHeight, paddingWidth } = sizes;
  const [, outHeight, outWidth, outChannels] = outputShape;
  const inChannels = inputShape[3];
  const suits =
    kernelHeight === 3 &&
    kernelWidth === 3 &&
    sizes.strideHeight === 1 &&
    sizes.strideWidth === 1 &&
    paddingHeight === paddingWidth &&
    paddingHeight <= 2 &&
    inChannels % 4 === 0 &&
    outChannels % LANES === 0 &&
    Math.min(inChannels, outChannels) >= LANES;
  if (!suits) return undefined;
  const side = fasterSide(sizes);
  const multiplications = positionsOf(side) * tilesOf(sizes, side);
  return multiplications <= 0.6 * kernelHeight * kernelWidth * outHeight * outWidth ? side : undefined;
}

/** Larger tiles take fewer multiplications, but more at the border and for transforming the filter. */
function fasterSide(sizes: Sizes): TileSide {
  if (sizes.inputShape[3] * sizes.outputShape[3] > MAXIMUM_WEIGHTS) return 2;
  const work = (side: TileSide) => positionsOf(side) * (sizes.inputShape[0] * tilesOf(sizes, side) + FILTER_TILES);
  return work(4) < work(2) ? 4 : 2;
}

function positionsOf(side: TileSide): number {
  return (side + 2) ** 2;
}

/** A plane of weights per position. */
function transformedFloats(side: TileSide, weights: number): number {
  return positionsOf(side) * (weights + LINE_FLOATS);
}

/** Tiles of an image. */
function tilesOf({ outputShape: [, outHeight, outWidth] }: Sizes, side: TileSide): number {
  return Math.ceil(outHeight / side) * Math.ceil(outWidth / side);
}

/** Cuts a batch into at most `most` pieces of enough tiles. */
function imagePieces(sizes: Sizes, side: TileSide, most: number) {
  return pieces(sizes.inputShape[0], most, leastImages(sizes, side));
}

/** Fewest images of a piece. */
export function leastImages(sizes: Sizes, side: TileSide): number {
  return Math.ceil(MINIMUM_TILES / tilesOf(sizes, side));
}

/** Computes what a call of Winograd's kernels could not, by the definition, if `condition` holds. */
export interface ByDefinition {
  /** Bytes of scratch memory. */
  readonly bytes: number;
  run(scratch: number, condition: Condition): void;
}

/**
 * Convolution into `y` in 16/36 of the multiplications (tiles of 2×2), or a quarter (4×4); `winogradSide` says where. If a result is not
 * finite, the definition is computed instead: an infinite input spoils whole tiles.
 */
export function winogradConvolve(
  context: KernelContext,
  problem: ConvolutionProblem,
  side: TileSide,
  y: Tensor,
  otherwise: ByDefinition,
): void {
  const { heap, pool } = context;
  const { x } = problem;
  const blocks = blocksOf(problem, side);
  const images = imagePieces(problem, side, PIECES);
  const filterBytes = filterBytesOf(problem, side);
  const bytes = filterBytes + 4 * pool.threads * blocks.scratchFloats;
  context.scratch(FLAG_BYTES + Math.max(bytes, otherwise.bytes), (flag) => {
    const transformed = flag + FLAG_BYTES;
    pool.run('clearWords', 1, () => [flag, 1]);
    transformFilter(context, problem, side, transformed);
    pool.runEvenly(
      'winogradConvolve',
      images,
      [heap.pointer(x), transformed, heap.pointer(y), transformed + filterBytes],
      [...blocks.sizes, flag, 4 * blocks.scratchFloats],
    );
    otherwise.run(transformed, { pointer: flag, step: 0 });
  });
}

/** As `winogradConvolve`, over its own input; pieces with results that are not finite stay as before, and have words of their own. */
export function winogradConvolveInPlace(
  context: KernelContext,
  problem: ConvolutionProblem,
  side: TileSide,
  { images, bytes }: ImageCopies,
  otherwise: InPlaceByDefinition,
): void {
  const { heap, pool } = context;
  const { x, inputShape, paddingHeight } = problem;
  const [, height, width, channels] = inputShape;
  const blocks = blocksOf(problem, side);
  const scratchBytes = bytes + 4 * blocks.scratchFloats;
  const filterBytes = filterBytesOf(problem, side);
  const wordBytes = FLAG_BYTES * Math.ceil((4 * (1 + images.count)) / FLAG_BYTES);
  const allBytes = Math.max(filterBytes + pool.threads * scratchBytes, otherwise.bytes);
  context.scratch(wordBytes + allBytes, (flag) => {
    const flags = flag + 4;
    const transformed = flag + wordBytes;
    const from = heap.pointer(x);
    pool.run('clearWords', 1, () => [flags, images.count]);
    transformFilter(context, problem, side, transformed);
    runCopies(pool, 'winogradConvolveInPlace', images.count, (piece) => [
      from,
      transformed,
      transformed + filterBytes,
      ...images.bounds(piece),
      ...[height, width, channels, paddingHeight, side, blocks.block],
      flags + 4 * piece,
      bytes,
      scratchBytes,
    ]);
    pool.run('gatherWords', 1, () => [flags, images.count, flag]);
    otherwise.run(transformed, { pointer: flag, step: 0 }, { pointer: flags, step: 4 });
  });
}

/** Computes the pieces that Winograd's kernels could not, by the definition; `any` holds if there are some. */
export interface InPlaceByDefinition {
  /** Bytes of scratch memory. */
  readonly bytes: number;
  run(scratch: number, any: Condition, ofPiece: Condition): void;
}

function filterBytesOf({ inputShape, outputShape }: Sizes, side: TileSide): number {
  return 4 * transformedFloats(side, inputShape[3] * outputShape[3]);
}

function transformFilter(
  { heap, pool }: KernelContext,
  { filter, inputShape, outputShape, isTurned }: ConvolutionProblem,
  side: TileSide,
  transformed: number,
): void {
  const [inChannels, outChannels] = [inputShape[3], outputShape[3]];
  const groups = pieces(outChannels / LANES, PIECES);
  const weights = heap.pointer(filter);
  pool.runEvenly('winogradFilter', groups, [weights, transformed, inChannels, outChannels, isTurned ? 1 : 0, side]);
}

/**
 * Filter gradient [3, 3, in, out] into `dw`, by the transpose of `winogradConvolve`, or by its definition as there.
 *
 * @param affine where all scales of x, then all shifts lie, if a ReLU of x·scale + shift is convolved instead of x
 */
export function winogradFilterGradient(
  context: KernelContext,
  x: Tensor,
  dy: Tensor,
  dw: Tensor,
  sizes: Sizes,
  side: TileSide,
  otherwise: ByDefinition,
  affine?: number,
): void {
  const { heap, pool } = context;
  const inChannels = sizes.inputShape[3];
  const outChannels = sizes.outputShape[3];
  const weights = inChannels * outChannels;
  const sumFloats = transformedFloats(side, weights);
  const blocks = blocksOf(sizes, side);
  const most = Math.max(MINIMUM_SUMS, Math.min(MAXIMUM_SUMS, Math.floor(SUM_FLOATS / sumFloats)));
  const images = imagePieces(sizes, side, most);
  const copyBytes = affine === undefined ? 0 : copyBytesOf(sizes.inputShape);
  const scratchBytes = copyBytes + 4 * blocks.scratchFloats;
  const bytes = 4 * images.count * sumFloats + pool.threads * scratchBytes;
  context.scratch(FLAG_BYTES + Math.max(bytes, otherwise.bytes), (flag) => {
    pool.run('clearWords', 1, () => [flag, 1]);
    const sums = flag + FLAG_BYTES;
    const [from, cotangent, to] = [heap.pointer(x), heap.pointer(dy), heap.pointer(dw)];
    const scratch = sums + 4 * images.count * sumFloats;
    const kernel = affine === undefined ? 'winogradFilterProducts' : 'winogradActivatedFilterProducts';
    pool.run(kernel, images.count, (piece) => [
      from,
      ...(affine === undefined ? [] : [affine]),
      cotangent,
      sums + 4 * sumFloats * piece,
      scratch,
      ...images.bounds(piece),
      ...blocks.sizes,
      ...(affine === undefined ? [] : [copyBytes]),
      scratchBytes,
    ]);
    const parts = pieces(weights, SUM_PIECES, LINE_FLOATS);
    pool.runEvenly('winogradFilterSum', parts, [sums, to, images.count, 4 * sumFloats, weights, side, flag]);
    otherwise.run(sums, { pointer: flag, step: 0 });
  });
}

/**
 * The size arguments of the kernels in assembly/, of which the last is the number of tiles that pass at a time, and the floats
 * of a thread's scratch memory: a row of zeros, and the transformed tiles of both sides.
 */
function blocksOf({ inputShape, outputShape, paddingHeight }: Sizes, side: TileSide) {
  const [, height, width, inChannels] = inputShape;
  const [, outHeight, outWidth, outChannels] = outputShape;
  const positions = positionsOf(side);
  const fitting = Math.floor(BLOCK_FLOATS / (positions * (inChannels + outChannels)));
  // A multiple of four.
  const block = Math.max(MINIMUM_BLOCK, Math.min(64, fitting)) & ~3;
  return {
    block,
    sizes: [height, width, inChannels, outHeight, outWidth, outChannels, paddingHeight, side, block],
    scratchFloats:
      PASS_FLOATS + width * inChannels + positions * (block * (inChannels + outChannels) + 2 * LINE_FLOATS),
  };
}
