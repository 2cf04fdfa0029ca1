import {
  type BatchNormGradient,
  type BatchNormGradientRequest,
  type BatchStatistics,
  type MovedStatistics,
  type Normalization,
  type RunningStatistics,
  runningFactors,
} from '@localgrad/kernels';
import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs';
import { type KernelContext, pieces } from './context.js';

/** Maximum number of pieces of the rows. */
export const PIECES = 32;
/** Rows per piece are a multiple of this, so that each piece is worth waking a thread. */
export const QUANTUM = 128;

export function rowsOf(x: Tensor4D): { rows: number; channels: number } {
  const channels = x.shape[3];
  return { rows: x.size / channels, channels };
}

/**
 * Runs a kernel that computes two sums per channel over each piece of the rows, and lends them to `use`: `pointer` and `pieces` are the
 * first arguments of the kernels in assembly/batch-norm-coefficients.ts.
 */
export function withSums(
  context: KernelContext,
  kernel: string,
  x: Tensor4D,
  argumentsOf: (sums: number, start: number, end: number) => readonly number[],
  use: (pointer: number, pieces: number) => void,
): void {
  const { rows, channels } = rowsOf(x);
  const parts = pieces(rows, PIECES, QUANTUM);
  const bytes = 8 * 2 * channels;
  context.scratch(bytes * parts.count, (pointer) => {
    context.pool.run(kernel, parts.count, (piece) => argumentsOf(pointer + bytes * piece, ...parts.bounds(piece)));
    use(pointer, parts.count);
  });
}

/** Mean and biased variance by channel, summed in float64 around the first row's values. */
export function batchStatistics(context: KernelContext, x: Tensor4D, running?: RunningStatistics): MovedStatistics {
  const { heap, pool } = context;
  const { rows, channels } = rowsOf(x);
  const pointer = heap.pointer(x);
  const mean = heap.allocate<Tensor1D>([channels]);
  const variance = heap.allocate<Tensor1D>([channels]);
  const argumentsOf = (target: number, start: number, end: number) => [pointer, pointer, target, start, end, channels];
  withSums(context, 'batchStatistics', x, argumentsOf, (sums, count) => {
    const to = [heap.pointer(mean), heap.pointer(variance)];
    pool.run('batchMoments', 1, () => [sums, count, pointer, ...to, rows, channels]);
  });
  if (running === undefined) return { mean, variance };
  return { mean, variance, running: moveRunning(context, { mean, variance }, running, rows) };
}

function moveRunning(
  { heap, pool }: KernelContext,
  { mean, variance }: BatchStatistics,
  running: RunningStatistics,
  rows: number,
): { mean: Tensor1D; variance: Tensor1D } {
  const factors = runningFactors(running.kept, rows);
  const move = (old: Tensor1D, batch: Tensor1D, factor: number): Tensor1D => {
    const result = heap.allocate<Tensor1D>(old.shape);
    const pointers = [old, batch, result].map((tensor) => heap.pointer(tensor));
    pool.run('moveAverage', 1, () => [...pointers, old.size, running.kept, factor]);
    return result;
  };
  return { mean: move(running.mean, mean, factors.mean), variance: move(running.variance, variance, factors.variance) };
}

/** Writes x ↦ x·scale + shift of a normalization to `pointer`: all scales, then all shifts. */
export function writeAffine(
  { heap, pool }: KernelContext,
  pointer: number,
  { mean, variance, epsilon, scale, shift }: Normalization,
): void {
  const pointers = [mean, variance, scale, shift].map((tensor) => heap.pointer(tensor));
  pool.run('normAffine', 1, () => [...pointers, pointer, mean.size, epsilon]);
}

export function batchNormApply(
  context: KernelContext,
  x: Tensor4D,
  normalization: Normalization,
  residual: Tensor4D | undefined,
  relu: boolean,
): Tensor4D {
  const { heap, pool } = context;
  const { rows, channels } = rowsOf(x);
  const y = heap.allocate<Tensor4D>(x.shape);
  return context.scratch(8 * channels, (affine) => {
    writeAffine(context, affine, normalization);
    const parts = pieces(rows, PIECES, QUANTUM);
    const [from, added, to] = [heap.pointer(x), residual === undefined ? 0 : heap.pointer(residual), heap.pointer(y)];
    pool.runEvenly('batchNormApply', parts, [from, added, to], [channels, affine, affine + 4 * channels, relu ? 1 : 0]);
    return y;
  });
}

/**
 * With x̂ = (x − mean)/σ and g = masked dy over N rows: dShift = Σg, dScale = Σg·x̂, and
 * dx = scale/σ·(g − dShift/N − x̂·dScale/N), which is k0·g + k1·x + k2 per channel.
 */
export function batchNormGradient(context: KernelContext, request: BatchNormGradientRequest): BatchNormGradient {
  const { dy, x, mask, overwriteInput, wantMasked } = request;
  const { heap, pool } = context;
  const { rows, channels } = rowsOf(x);
  const isMasked = mask !== 'none';
  const masked = isMasked && heap.shares(dy) ? heap.allocate<Tensor4D>(dy.shape) : dy;

  return withGradientPlaces(context, request, (places) => {
    const { input, output, means, affine, coefficients, mode } = places;
    const cotangent = heap.pointer(dy);
    const gradient = heap.pointer(masked);
    const { dScale, dShift } = gradientSums(context, request, places, 'batchNormGradientSums', (target, start, end) => [
      cotangent,
      input,
      output,
      gradient,
      means,
      affine,
      affine + 4 * channels,
      target,
      start,
      end,
      channels,
      mode,
    ]);

    const canOverwriteInput = overwriteInput && !heap.shares(x);
    const canOverwriteGradient = !wantMasked && !heap.shares(masked);
    const dx = canOverwriteGradient ? masked : canOverwriteInput ? x : heap.allocate<Tensor4D>(x.shape);
    const to = heap.pointer(dx);
    const parts = pieces(rows, PIECES, QUANTUM);
    pool.runEvenly('batchNormGradientApply', parts, [gradient, input, to], [channels, coefficients]);
    if (dy !== masked) dy.dispose();
    if (masked !== dx && !wantMasked) masked.dispose();
    if (overwriteInput && x !== dx) x.dispose();
    return wantMasked ? { dx, dScale, dShift, masked } : { dx, dScale, dShift };
  });
}

type GradientReads = Pick<BatchNormGradientRequest, 'x' | 'normalization' | 'mask'>;

/** Addresses of what the kernels of a gradient read. */
export interface GradientPlaces {
  readonly input: number;
  /** Of the activation whose sign is the ReLU's mask; 0 if there is none. */
  readonly output: number;
  /** Of all scales of x, then all shifts. */
  readonly affine: number;
  readonly means: number;
  /** Of the coefficients of dx, which `gradientSums` writes. */
  readonly coefficients: number;
  /** How the ReLU's mask is found: 0 for no mask, 1 to recompute it, 2 for the sign of the output. */
  readonly mode: number;
}

/** Lends scratch memory with what the kernels of a gradient read. */
export function withGradientPlaces(
  context: KernelContext,
  { x, normalization, mask }: GradientReads,
  use: (places: GradientPlaces) => BatchNormGradient,
): BatchNormGradient {
  const { heap } = context;
  const { channels } = rowsOf(x);
  return context.scratch(4 * 5 * channels, (affine) => {
    writeAffine(context, affine, normalization);
    return use({
      input: heap.pointer(x),
      output: typeof mask === 'string' ? 0 : heap.pointer(mask),
      affine,
      means: heap.pointer(normalization.mean),
      coefficients: affine + 8 * channels,
      mode: mask === 'none' ? 0 : mask === 'recompute' ? 1 : 2,
    });
  });
}

/** The gradients of scale and shift, from the sums of a kernel; writes the coefficients of dx. */
export function gradientSums(
  context: KernelContext,
  { x, normalization }: GradientReads,
  { coefficients }: GradientPlaces,
  kernel: string,
  argumentsOf: (target: number, start: number, end: number) => number[],
): { readonly dScale: Tensor1D; readonly dShift: Tensor1D } {
  const { heap, pool } = context;
  const { rows, channels } = rowsOf(x);
  const { mean, variance, epsilon, scale } = normalization;
  const dScale = heap.allocate<Tensor1D>([channels]);
  const dShift = heap.allocate<Tensor1D>([channels]);
  const pointers = [mean, variance, scale, dScale, dShift].map((tensor) => heap.pointer(tensor));
  withSums(context, kernel, x, argumentsOf, (sums, count) => {
    const all = [sums, count, ...pointers, coefficients, rows, channels, epsilon];
    pool.run('normGradientCoefficients', 1, () => all);
  });
  return { dScale, dShift };
}
