import type {
  GroupNormGradient,
  GroupNormGradientRequest,
  GroupNormParameters,
  GroupStatistics,
} from '@localgrad/kernels';
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { type ProgramRequest, runElementwise, runProgram, type WebGpuBackend } from '../program.js';

function integersOf(x: Tensor4D, groups: number) {
  const [batch, height, width, channels] = x.shape;
  return { batch, positions: height * width, channels, groups, groupChannels: channels / groups };
}

/** WGSL: the position of an element of x, and its group. */
const place = `
  let channel = index % uniforms.channels;
  let image = index / (uniforms.channels * uniforms.positions);
  let which = image * uniforms.groups + channel / uniforms.groupChannels;`;

export function groupNorm(
  backend: WebGpuBackend,
  x: Tensor4D,
  { groups, epsilon, scale, shift }: GroupNormParameters,
): GroupStatistics & { readonly output: Tensor4D } {
  // Relative to the first value, so that a mean far from 0 does not cost precision.
  const mean = groupMeans(backend, 'mean', { x }, x, groups, 'x[at] - x[first]', 'x[first] + value');
  const squares = '(x[at] - mean[which]) * (x[at] - mean[which])';
  const variance = groupMeans(backend, 'variance', { x, mean }, x, groups, squares, 'value');
  const output = runElementwise<Tensor4D>(backend, {
    key: 'groupNorm',
    inputs: { x, mean, variance, scale, shift },
    outputShape: x.shape,
    integers: integersOf(x, groups),
    numbers: { epsilon },
    body: `${place}
      let factor = scale[channel] * inverseSqrt(variance[which] + uniforms.epsilon);
      result[index] = (x[index] - mean[which]) * factor + shift[channel];`,
  });
  return { output, mean, variance };
}

/** Means of a term (WGSL, element `at` of group `which`) over each group of each image, one workgroup per group. */
function groupMeans(
  backend: WebGpuBackend,
  key: string,
  inputs: ProgramRequest['inputs'],
  x: Tensor4D,
  groups: number,
  term: string,
  value: string,
): Tensor2D {
  const integers = integersOf(x, groups);
  return runProgram<Tensor2D>(backend, {
    key: `groupNorm ${key}`,
    inputs,
    outputShape: [integers.batch, groups],
    integers,
    workgroups: integers.batch * groups,
    declarations: 'var<workgroup> shares : array<f32, 64>;',
    body: `
      // Workgroups beyond the number of groups repeat the last group.
      let which = min(group, uniforms.batch * uniforms.groups - 1);
      let size = uniforms.positions * uniforms.groupChannels;
      let start = (which / uniforms.groups) * uniforms.positions * uniforms.channels;
      let first = start + (which % uniforms.groups) * uniforms.groupChannels;
      var share = 0.0;
      for (var i = local; i < size; i += 64) {
        let at = first + (i / uniforms.groupChannels) * uniforms.channels + i % uniforms.groupChannels;
        share += ${term};
      }
      shares[local] = share;
      workgroupBarrier();
      for (var half = 32; half > 0; half /= 2) {
        if (local < half) { shares[local] += shares[local + half]; }
        workgroupBarrier();
      }
      if (local == 0 && group == which) {
        let value = shares[0] / f32(size);
        result[which] = ${value};
      }`,
  });
}

export function groupNormGradient(backend: WebGpuBackend, request: GroupNormGradientRequest): GroupNormGradient {
  const { dy, x, statistics, parameters } = request;
  const { mean, variance } = statistics;
  const { groups, epsilon, scale } = parameters;
  const integers = integersOf(x, groups);
  const { batch, channels } = integers;
  const common = { integers, numbers: { epsilon } };
  // Σ dy and Σ dy·x̂ per image and channel.
  const sums = runElementwise<Tensor>(backend, {
    key: 'groupNormGradient sums',
    inputs: { dy, x, mean, variance },
    outputShape: [batch, channels, 2],
    ...common,
    body: `
      let image = index / (2 * uniforms.channels);
      let channel = (index / 2) % uniforms.channels;
      let which = image * uniforms.groups + channel / uniforms.groupChannels;
      let inverse = inverseSqrt(variance[which] + uniforms.epsilon);
      var total = 0.0;
      for (var i = 0; i < uniforms.positions; i++) {
        let at = (image * uniforms.positions + i) * uniforms.channels + channel;
        if (index % 2 == 0) { total += dy[at]; }
        else { total += dy[at] * (x[at] - mean[which]) * inverse; }
      }
      result[index] = total;`,
  });
  const overImages = (key: string, offset: number) =>
    runElementwise<Tensor1D>(backend, {
      key: `groupNormGradient ${key}`,
      inputs: { sums },
      outputShape: [channels],
      ...common,
      body: `
        var total = 0.0;
        for (var image = 0; image < uniforms.batch; image++) {
          total += sums[(image * uniforms.channels + index) * 2 + ${offset}];
        }
        result[index] = total;`,
    });
  // Means over each group of scale·dy and scale·dy·x̂.
  const through = runElementwise<Tensor>(backend, {
    key: 'groupNormGradient through',
    inputs: { sums, scale },
    outputShape: [batch, groups, 2],
    ...common,
    body: `
      let image = index / (2 * uniforms.groups);
      let start = ((index / 2) % uniforms.groups) * uniforms.groupChannels;
      var total = 0.0;
      for (var channel = start; channel < start + uniforms.groupChannels; channel++) {
        total += scale[channel] * sums[(image * uniforms.channels + channel) * 2 + index % 2];
      }
      result[index] = total / f32(uniforms.positions * uniforms.groupChannels);`,
  });
  const dx = runElementwise<Tensor4D>(backend, {
    key: 'groupNormGradient dx',
    inputs: { dy, x, mean, variance, scale, through },
    outputShape: x.shape,
    ...common,
    // Mean and variance depend on x too: their two terms project out the constant and the normalized part.
    body: `${place}
      let inverse = inverseSqrt(variance[which] + uniforms.epsilon);
      let normalizedX = (x[index] - mean[which]) * inverse;
      let part = scale[channel] * dy[index] - through[2 * which] - normalizedX * through[2 * which + 1];
      result[index] = part * inverse;`,
  });
  const [dShift, dScale] = [overImages('dShift', 0), overImages('dScale', 1)];
  sums.dispose();
  through.dispose();
  dy.dispose();
  return { dx, dScale, dShift };
}
