import type {
  GroupNormGradient,
  GroupNormGradientRequest,
  GroupNormParameters,
  GroupStatistics,
} from '@localgrad/kernels';
import type { Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { addShares } from '../add-shares.js';
import type { WebGpuBackend } from '../program.js';
import { type ManyRequest, runProgramMany } from '../program-many.js';
import { channelSums, finishChannels } from './channel-sums.js';

/** Values per group from which a workgroup has more invocations. */
const largeGroup = 2048;

/** A program with one workgroup for each group of an image. */
function programOf(
  key: string,
  x: Tensor4D,
  groups: number,
  epsilon: number,
): Pick<ManyRequest, 'key' | 'integers' | 'numbers' | 'workgroups' | 'declarations'> & { readonly threads: number } {
  const sizes = sizesOf(x, groups);
  const { batch, positions, groupChannels } = sizes;
  const threads = positions * groupChannels < largeGroup ? 64 : 256;
  return {
    key: `${key} ${threads}`,
    integers: sizes,
    numbers: { epsilon },
    threads,
    workgroups: batch * groups,
    declarations: `
      var<workgroup> shares : array<vec2<f32>, ${threads}>;
      fn totalOf(share : vec2<f32>, local : i32) -> vec2<f32> {
        workgroupBarrier();
        ${addShares(threads)}
        return shares[0];
      }`,
  };
}

function sizesOf({ shape: [batch, height, width, channels] }: Tensor4D, groups: number) {
  return { batch, positions: height * width, channels, groups, groupChannels: channels / groups };
}

/** WGSL: the group of a workgroup. Workgroups beyond the number of groups repeat the last one. */
const place = `
  let which = min(group, uniforms.batch * uniforms.groups - 1);
  let size = uniforms.positions * uniforms.groupChannels;
  let start = (which / uniforms.groups) * uniforms.positions * uniforms.channels;
  let firstChannel = (which % uniforms.groups) * uniforms.groupChannels;`;

/** WGSL that is repeated for each element `at` of the group. */
function forEach(threads: number, body: string): string {
  return `
    for (var i = local; i < size; i += ${threads}) {
      let channel = firstChannel + i % uniforms.groupChannels;
      let at = start + (i / uniforms.groupChannels) * uniforms.channels + channel;
      ${body}
    }`;
}

export function groupNorm(
  backend: WebGpuBackend,
  x: Tensor4D,
  { groups, epsilon, scale, shift }: GroupNormParameters,
): GroupStatistics & { readonly output: Tensor4D } {
  const program = programOf('groupNorm', x, groups, epsilon);
  const statistics = [x.shape[0], groups];
  const found = runProgramMany(backend, {
    ...program,
    inputs: { x, scale, shift },
    outputs: { output: x.shape, mean: statistics, variance: statistics },
    // Relative to the first value, so that a mean far from 0 does not cost precision.
    body: `${place}
      let origin = x[start + firstChannel];
      var share = vec2<f32>(0.0);
      ${forEach(program.threads, 'share.x += x[at] - origin;')}
      let center = origin + totalOf(share, local).x / f32(size);
      share = vec2<f32>(0.0);
      ${forEach(program.threads, 'share.x += (x[at] - center) * (x[at] - center);')}
      let spread = totalOf(share, local).x / f32(size);
      let inverse = inverseSqrt(spread + uniforms.epsilon);
      ${forEach(program.threads, 'output[at] = (x[at] - center) * (scale[channel] * inverse) + shift[channel];')}
      if (local == 0) {
        mean[which] = center;
        variance[which] = spread;
      }`,
  });
  return found as { output: Tensor4D; mean: Tensor2D; variance: Tensor2D };
}

export function groupNormGradient(backend: WebGpuBackend, request: GroupNormGradientRequest): GroupNormGradient {
  const { dy, x, statistics, parameters } = request;
  const { groups, epsilon, scale } = parameters;
  const inputs = { dy, x, ...statistics };
  const program = programOf('groupNormGradient', x, groups, epsilon);
  const { dx } = runProgramMany(backend, {
    ...program,
    inputs: { ...inputs, scale },
    outputs: { dx: x.shape },
    // Mean and variance depend on x too: their two terms project out the constant and the normalized part.
    body: `${place}
      let center = mean[which];
      let inverse = inverseSqrt(variance[which] + uniforms.epsilon);
      var share = vec2<f32>(0.0);
      ${forEach(program.threads, 'share += scale[channel] * dy[at] * vec2<f32>(1.0, (x[at] - center) * inverse);')}
      let through = totalOf(share, local) / f32(size);
      ${forEach(program.threads, 'dx[at] = (scale[channel] * dy[at] - through.x - (x[at] - center) * inverse * through.y) * inverse;')}`,
  });
  const sizes = sizesOf(x, groups);
  const { batch, positions, channels, groupChannels } = sizes;
  const rows = batch * positions;
  const key = 'groupNormGradient';
  const partial = channelSums(backend, {
    ...{ key, inputs, rows, channels },
    integers: { positions, groups, groupChannels },
    numbers: { epsilon },
    terms: `
      let which = (row / uniforms.positions) * uniforms.groups + channel / uniforms.groupChannels;
      first = dy[at] * (x[at] - mean[which]) * inverseSqrt(variance[which] + uniforms.epsilon);
      second = dy[at];`,
  });
  const { dScale, dShift } = finishChannels(backend, {
    ...{ key, partial, rows },
    inputs: {},
    outputs: { dScale: [channels], dShift: [channels] },
    body: 'dScale[channel] = first; dShift[channel] = second;',
  });
  partial.dispose();
  dy.dispose();
  return { dx: dx as Tensor4D, dScale: dScale as Tensor1D, dShift: dShift as Tensor1D };
}
