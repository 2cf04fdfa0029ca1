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

/** Runs a kernel that computes two sums per channel over each piece of the rows, and adds up the pieces. */
export function sums(
  context: KernelContext,
  kernel: string,
  x: Tensor4D,
  argumentsOf: (sums: number, start: number, end: number) => readonly number[],
): Float64Array {
  const { rows, channels } = rowsOf(x);
  const parts = pieces(rows, PIECES, QUANTUM);
  const length = 2 * channels;
  return context.scratch(8 * length * parts.count, (pointer) => {
    context.doubles(pointer, length * parts.count).fill(0);
    context.pool.run(kernel, parts.count, (piece) => argumentsOf(pointer + 8 * length * piece, ...parts.bounds(piece)));
    const partial = context.doubles(pointer, length * parts.count);
    const total = new Float64Array(length);
    for (let piece = 0; piece < parts.count; piece++) {
      for (let index = 0; index < length; index++) {
        total[index] = (total[index] as number) + (partial[piece * length + index] as number);
      }
    }
    return total;
  });
}

/** Mean and biased variance by channel, summed in float64 around the first row's values. */
export function batchStatistics(context: KernelContext, x: Tensor4D, running?: RunningStatistics): MovedStatistics {
  const { heap } = context;
  const { rows, channels } = rowsOf(x);
  const pointer = heap.pointer(x);
  const total = sums(context, 'batchStatistics', x, (target, start, end) => [
    pointer,
    pointer,
    target,
    start,
    end,
    channels,
  ]);
  const mean = heap.allocate<Tensor1D>([channels]);
  const variance = heap.allocate<Tensor1D>([channels]);
  const origin = context.floats(pointer, channels);
  const means = context.values(mean);
  const variances = context.values(variance);
  for (let c = 0; c < channels; c++) {
    const shifted = (total[c] as number) / rows;
    means[c] = (origin[c] as number) + shifted;
    variances[c] = Math.max(0, (total[channels + c] as number) / rows - shifted * shifted);
  }
  const statistics = { mean, variance };
  return running === undefined
    ? statistics
    : { ...statistics, running: moveRunning(context, statistics, running, rows) };
}

/** Few numbers: a plain loop, each product rounded to float32 as kernels do. */
function moveRunning(
  context: KernelContext,
  { mean, variance }: BatchStatistics,
  running: RunningStatistics,
  rows: number,
): { mean: Tensor1D; variance: Tensor1D } {
  const factors = runningFactors(running.kept, rows);
  const move = (old: Tensor1D, batch: Tensor1D, factor: number): Tensor1D => {
    const result = context.heap.allocate<Tensor1D>(old.shape);
    const [olds, news, results] = context.valuesOf(old, batch, result);
    const [kept, added] = [Math.fround(running.kept), Math.fround(factor)];
    results.forEach((_, c) => {
      results[c] = Math.fround((olds[c] ?? 0) * kept) + Math.fround((news[c] ?? 0) * added);
    });
    return result;
  };
  return { mean: move(running.mean, mean, factors.mean), variance: move(running.variance, variance, factors.variance) };
}

/** Writes x ↦ x·scale + shift of a normalization to `pointer`: all scales, then all shifts. */
export function writeAffine(
  context: KernelContext,
  pointer: number,
  { mean, variance, epsilon, scale, shift }: Normalization,
): void {
  const channels = mean.size;
  const [means, variances, scales, shifts] = context.valuesOf(mean, variance, scale, shift);
  const affine = context.floats(pointer, 2 * channels);
  for (let c = 0; c < channels; c++) {
    const factor = (scales[c] as number) / Math.sqrt((variances[c] as number) + epsilon);
    affine[c] = factor;
    affine[channels + c] = (shifts[c] as number) - (means[c] as number) * factor;
  }
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
  return context.scratch(4 * 6 * channels, (affine) => {
    writeAffine(context, affine, normalization);
    const means = affine + 8 * channels;
    context.floats(means, channels).set(context.values(normalization.mean));
    return use({
      input: heap.pointer(x),
      output: typeof mask === 'string' ? 0 : heap.pointer(mask),
      affine,
      means,
      coefficients: affine + 12 * channels,
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
  const { rows, channels } = rowsOf(x);
  const total = sums(context, kernel, x, argumentsOf);
  const dScale = context.heap.allocate<Tensor1D>([channels]);
  const dShift = context.heap.allocate<Tensor1D>([channels]);
  writeCoefficients(context, coefficients, normalization, total, rows, dScale, dShift);
  return { dScale, dShift };
}

function writeCoefficients(
  context: KernelContext,
  pointer: number,
  { mean, variance, epsilon, scale }: Normalization,
  total: Float64Array,
  rows: number,
  dScale: Tensor1D,
  dShift: Tensor1D,
): void {
  const channels = mean.size;
  const [means, variances, scales] = context.valuesOf(mean, variance, scale);
  const [scaleGradient, shiftGradient] = context.valuesOf(dScale, dShift);
  const k = context.floats(pointer, 3 * channels);
  for (let c = 0; c < channels; c++) {
    const inverse = 1 / Math.sqrt((variances[c] as number) + epsilon);
    const sum = total[c] as number;
    const product = (total[channels + c] as number) * inverse;
    shiftGradient[c] = sum;
    scaleGradient[c] = product;
    const k0 = (scales[c] as number) * inverse;
    const k1 = (-k0 * inverse * product) / rows;
    k[c] = k0;
    k[channels + c] = k1;
    k[2 * channels + c] = (-k0 * sum) / rows - k1 * (means[c] as number);
  }
}
