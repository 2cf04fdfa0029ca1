import { get } from '@localgrad/core';
import type {
  BatchNormGradient,
  BatchNormGradientRequest,
  MovedStatistics,
  Normalization,
  RunningStatistics,
} from '@localgrad/kernels';
import { dispose, type Tensor, type Tensor1D, type Tensor4D } from '@tensorflow/tfjs';
import { rectified } from '../missing.js';
import { runElementwise, type WebGpuBackend } from '../program.js';
import { runProgramMany } from '../program-many.js';
import { channelSums, finishChannels } from './channel-sums.js';
import { runningUpdate } from './running-statistics.js';

/** Sums of differences from the channel's first value: a mean far from 0 does not cost digits. */
export function batchStatistics(backend: WebGpuBackend, x: Tensor4D, running?: RunningStatistics): MovedStatistics {
  const channels = x.shape[3];
  const rows = x.size / channels;
  const partial = channelSums(backend, {
    key: 'batchStatistics',
    inputs: { x },
    rows,
    channels,
    terms: `let difference = x[at] - x[channel];
      first = difference;
      second = difference * difference;`,
  });
  const vector = [channels];
  const moving = runningUpdate(backend, running, rows);
  const found = finishChannels(backend, {
    key: `batchStatistics ${moving.key}`,
    partial,
    rows,
    inputs: { x, ...moving.inputs },
    outputs: { mean: vector, variance: vector, ...moving.outputs },
    changed: moving.changed,
    numbers: moving.numbers,
    body: `
      let shifted = first / uniforms.count;
      let batchMean = x[channel] + shifted;
      let batchVariance = rectified(second / uniforms.count - shifted * shifted);
      mean[channel] = batchMean;
      variance[channel] = batchVariance;${moving.body}`,
  });
  partial.dispose();
  const results = new Map(Object.entries(found));
  return { mean: take(found, 'mean'), variance: take(found, 'variance'), ...moving.take(results) };
}

const normalized = `
  let channel = index % uniforms.channels;
  let factor = scale[channel] * inverseSqrt(variance[channel] + uniforms.epsilon);
  var y = (x[index] - mean[channel]) * factor + shift[channel];`;

export function batchNormApply(
  backend: WebGpuBackend,
  x: Tensor4D,
  { mean, variance, epsilon, scale, shift }: Normalization,
  residual: Tensor4D | undefined,
  relu: boolean,
): Tensor4D {
  return runElementwise<Tensor4D>(backend, {
    key: `batchNormApply ${residual === undefined ? '' : 'residual'} ${relu ? 'relu' : ''}`,
    inputs: { x, mean, variance, scale, shift, ...(residual === undefined ? {} : { residual }) },
    outputShape: x.shape,
    integers: { channels: x.shape[3] },
    numbers: { epsilon },
    body: `${normalized}
      ${residual === undefined ? '' : 'y += residual[index];'}
      result[index] = ${relu ? 'rectified(y)' : 'y'};`,
    ...(relu ? { declarations: rectified } : {}),
  });
}

/** WGSL: sets `passed`, the cotangent behind the ReLU's mask; `at` is the element, `channel` its channel. */
function maskedCotangent(mask: BatchNormGradientRequest['mask'], recomputed: string): string {
  if (mask === 'none') return 'let passed = dy[at];';
  return `let y = ${mask === 'recompute' ? recomputed : 'output[at]'};
    let passed = select(0.0, dy[at], y > 0.0);`;
}

/** Vectors that the last pass reads for each channel, in one buffer: WebGPU binds eight at most. */
const packed = ['mean', 'inverse', 'scale', 'shift', 'dScale', 'dShift'] as const;
const packedAt = (name: (typeof packed)[number]) => `vectors[${packed.indexOf(name)} * uniforms.channels + channel]`;

export function batchNormGradient(backend: WebGpuBackend, request: BatchNormGradientRequest): BatchNormGradient {
  const { dy, x, normalization, mask, overwriteInput, wantMasked } = request;
  const { mean, variance, epsilon, scale, shift } = normalization;
  const channels = x.shape[3];
  const rows = x.size / channels;
  const output = typeof mask === 'string' ? {} : { output: mask };
  const kind = typeof mask === 'string' ? mask : 'output';
  const partial = channelSums(backend, {
    key: `batchNormGradient ${kind}`,
    inputs: { dy, x, mean, ...output, ...(mask === 'recompute' ? { variance, scale, shift } : {}) },
    rows,
    channels,
    numbers: { epsilon },
    terms: `${maskedCotangent(mask, '(x[at] - mean[channel]) * (scale[channel] * inverseSqrt(variance[channel] + uniforms.epsilon)) + shift[channel]')}
      first = passed;
      second = passed * (x[at] - mean[channel]);`,
  });
  const vector = [channels];
  const found = finishChannels(backend, {
    key: 'batchNormGradient',
    partial,
    rows,
    inputs: { mean, variance, scale, shift },
    outputs: { dScale: vector, dShift: vector, vectors: [packed.length, channels] },
    numbers: { epsilon },
    body: `
      let inverse = inverseSqrt(variance[channel] + uniforms.epsilon);
      dScale[channel] = second * inverse;
      dShift[channel] = first;
      ${packedAt('mean')} = mean[channel];
      ${packedAt('inverse')} = inverse;
      ${packedAt('scale')} = scale[channel];
      ${packedAt('shift')} = shift[channel];
      ${packedAt('dScale')} = second * inverse;
      ${packedAt('dShift')} = first;`,
  });
  const vectors = take(found, 'vectors');
  const results = runProgramMany(backend, {
    key: `batchNormGradient dx ${kind} ${wantMasked}`,
    inputs: { dy, x, vectors, ...output },
    outputs: { dx: x.shape, ...(wantMasked ? { masked: x.shape } : {}) },
    integers: { channels, elements: x.size },
    numbers: { count: rows },
    workgroups: Math.ceil(x.size / 64),
    // The mean and the variance depend on x too: their two terms project out the constant and the normalized part.
    body: `
      if (index >= uniforms.elements) { return; }
      let at = index;
      let channel = index % uniforms.channels;
      let inverse = ${packedAt('inverse')};
      let centered = x[at] - ${packedAt('mean')};
      ${maskedCotangent(mask, `centered * (${packedAt('scale')} * inverse) + ${packedAt('shift')}`)}
      let normalizedX = centered * inverse;
      let through = (${packedAt('dShift')} + normalizedX * ${packedAt('dScale')}) / uniforms.count;
      dx[at] = (passed - through) * ${packedAt('scale')} * inverse;
      ${wantMasked ? 'masked[at] = passed;' : ''}`,
  });
  dispose([partial, vectors, dy]);
  if (overwriteInput) x.dispose();
  const gradient = {
    dx: take<Tensor4D>(results, 'dx'),
    dScale: take<Tensor1D>(found, 'dScale'),
    dShift: take<Tensor1D>(found, 'dShift'),
  };
  return wantMasked ? { ...gradient, masked: take<Tensor4D>(results, 'masked') } : gradient;
}

function take<T extends Tensor = Tensor1D>(found: Readonly<Record<string, Tensor>>, name: string): T {
  return get(new Map(Object.entries(found)), name, 'result') as T;
}
