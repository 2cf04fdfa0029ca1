import type {
  GroupNormGradient,
  GroupNormGradientRequest,
  GroupNormParameters,
  GroupStatistics,
} from '@localgrad/kernels';
import type { Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { type KernelContext, MINIMUM_FOR_THREADS, pieces } from './context.js';
import { isRowNorm, rowNorm, rowNormGradient } from './row-norm.js';

/** Sizes of a problem, the pieces of its batch, and the last arguments of its kernels. */
function measures(x: Tensor4D, groups: number) {
  const [batch, height, width, channels] = x.shape;
  const positions = height * width;
  const images = pieces(batch, x.size < MINIMUM_FOR_THREADS ? 1 : 32);
  return { batch, positions, channels, groupChannels: channels / groups, images, rest: [positions, channels] };
}

/** The sum of `value` over a group's channels. */
function overGroup(group: number, groupChannels: number, value: (channel: number) => number): number {
  let sum = 0;
  for (let c = group * groupChannels; c < (group + 1) * groupChannels; c++) sum += value(c);
  return sum;
}

export function groupNorm(
  context: KernelContext,
  x: Tensor4D,
  parameters: GroupNormParameters,
): GroupStatistics & { readonly output: Tensor4D } {
  if (isRowNorm(x, parameters)) return rowNorm(context, x, parameters);
  const { groups, epsilon, scale, shift } = parameters;
  const { heap, pool } = context;
  const { batch, positions, channels, groupChannels, images, rest } = measures(x, groups);
  const output = heap.allocate<Tensor4D>(x.shape);
  const mean = heap.allocate<Tensor2D>([batch, groups]);
  const variance = heap.allocate<Tensor2D>([batch, groups]);
  return context.scratch(16 * batch * channels, (sums) =>
    context.scratch(8 * batch * channels, (affine) => {
      const [from, to] = [heap.pointer(x), heap.pointer(output)];
      pool.runEvenly('imageStatistics', images, [from, sums], rest);
      const [scales, shifts] = context.valuesOf(scale, shift);
      const [means, variances, values] = context.valuesOf(mean, variance, x);
      const totals = context.doubles(sums, 2 * batch * channels);
      const factors = context.floats(affine, 2 * batch * channels);
      for (let n = 0; n < batch; n++) {
        const image = n * positions * channels;
        const at = 2 * n * channels;
        // Per channel, relative to the first value, so that a mean far from 0 does not cost precision.
        const shifted = (c: number) => (totals[at + c] as number) / positions;
        const channelMean = (c: number) => (values[image + c] as number) + shifted(c);
        const channelVariance = (c: number) =>
          Math.max(0, (totals[at + channels + c] as number) / positions - shifted(c) ** 2);
        for (let group = 0; group < groups; group++) {
          const average = overGroup(group, groupChannels, channelMean) / groupChannels;
          const spread =
            overGroup(group, groupChannels, (c) => channelVariance(c) + (channelMean(c) - average) ** 2) /
            groupChannels;
          means[n * groups + group] = average;
          variances[n * groups + group] = spread;
          const inverse = 1 / Math.sqrt(spread + epsilon);
          for (let c = group * groupChannels; c < (group + 1) * groupChannels; c++) {
            const factor = (scales[c] as number) * inverse;
            factors[at + c] = factor;
            factors[at + channels + c] = (shifts[c] as number) - average * factor;
          }
        }
      }
      pool.runEvenly('imageNormApply', images, [from, to, affine], rest);
      return { output, mean, variance };
    }),
  );
}

/**
 * With x̂ = (x − mean)/σ and means over a group's M values: dx = (scale·dy − mean(scale·dy) − x̂·mean(scale·dy·x̂))/σ, which
 * is k0·dy + k1·x + k2 for each image and channel.
 */
export function groupNormGradient(context: KernelContext, request: GroupNormGradientRequest): GroupNormGradient {
  const { dy, x, statistics, parameters } = request;
  if (isRowNorm(x, parameters)) return rowNormGradient(context, request);
  const { groups, epsilon, scale } = parameters;
  const { heap, pool } = context;
  const { batch, positions, channels, groupChannels, images, rest } = measures(x, groups);
  const dx = heap.shares(dy) ? heap.allocate<Tensor4D>(x.shape) : dy;
  const dScale = heap.allocate<Tensor1D>([channels]);
  const dShift = heap.allocate<Tensor1D>([channels]);
  const gradient = context.scratch(16 * batch * channels, (sums) =>
    context.scratch(12 * batch * channels, (k) => {
      const [cotangent, input, to] = [heap.pointer(dy), heap.pointer(x), heap.pointer(dx)];
      const [means, variances, scales] = context.valuesOf(statistics.mean, statistics.variance, scale);
      const [scaleGradient, shiftGradient] = context.valuesOf(dScale, dShift);
      const numbers = context.floats(k, 3 * batch * channels);
      for (let at = 0; at < batch * channels; at++) {
        const group = Math.floor((at % channels) / groupChannels);
        numbers[at] = means[Math.floor(at / channels) * groups + group] as number;
      }
      pool.runEvenly('imageNormGradientSums', images, [cotangent, input, k, sums], rest);
      const totals = context.doubles(sums, 2 * batch * channels);
      const scaleSums = new Float64Array(channels);
      const shiftSums = new Float64Array(channels);
      for (let n = 0; n < batch; n++) {
        const at = 2 * n * channels;
        for (let group = 0; group < groups; group++) {
          const average = means[n * groups + group] as number;
          const inverse = 1 / Math.sqrt((variances[n * groups + group] as number) + epsilon);
          const scaled = (offset: number) => (c: number) => (scales[c] as number) * (totals[at + offset + c] as number);
          const size = positions * groupChannels;
          const constant = (overGroup(group, groupChannels, scaled(0)) * inverse) / size;
          const along = (overGroup(group, groupChannels, scaled(channels)) * inverse ** 3) / size;
          for (let c = group * groupChannels; c < (group + 1) * groupChannels; c++) {
            shiftSums[c] = (shiftSums[c] as number) + (totals[at + c] as number);
            scaleSums[c] = (scaleSums[c] as number) + (totals[at + channels + c] as number) * inverse;
            const first = 3 * n * channels + c;
            numbers[first] = (scales[c] as number) * inverse;
            numbers[first + channels] = -along;
            numbers[first + 2 * channels] = along * average - constant;
          }
        }
      }
      scaleGradient.set(scaleSums);
      shiftGradient.set(shiftSums);
      pool.runEvenly('imageNormGradientApply', images, [cotangent, input, to, k], rest);
      return { dx, dScale, dShift };
    }),
  );
  if (dx !== dy) dy.dispose();
  return gradient;
}
