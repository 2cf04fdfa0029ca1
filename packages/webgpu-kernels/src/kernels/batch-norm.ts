import type { BatchNormGradient, BatchNormGradientRequest, BatchStatistics, Normalization } from '@localgrad/kernels';
import type { Tensor4D } from '@tensorflow/tfjs';
import { rectified } from '../missing.js';
import { runElementwise, type WebGpuBackend } from '../program.js';
import { channelSums, finishSums } from './channel-sums.js';

/** Sums of differences from the first value of a channel, so that a mean far from 0 does not cost precision. */
export function batchStatistics(backend: WebGpuBackend, x: Tensor4D): BatchStatistics {
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
  const mean = finishSums(backend, 'mean', partial, 'x[group] + first / uniforms.count', rows, { x });
  const squares = 'rectified(second / uniforms.count - (first / uniforms.count) * (first / uniforms.count))';
  const variance = finishSums(backend, 'variance', partial, squares, rows);
  partial.dispose();
  return { mean, variance };
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

export function batchNormGradient(backend: WebGpuBackend, request: BatchNormGradientRequest): BatchNormGradient {
  const { dy, x, normalization, mask, overwriteInput, wantMasked } = request;
  const { mean, variance, epsilon, scale, shift } = normalization;
  const channels = x.shape[3];
  const rows = x.size / channels;
  let masked = dy;
  if (mask !== 'none') {
    const byOutput = mask !== 'recompute';
    masked = runElementwise<Tensor4D>(backend, {
      key: `maskedCotangent ${byOutput}`,
      inputs: byOutput ? { dy, output: mask } : { dy, x, mean, variance, scale, shift },
      outputShape: x.shape,
      integers: { channels },
      numbers: { epsilon },
      body: `${byOutput ? 'let y = output[index];' : normalized}
        result[index] = select(0.0, dy[index], y > 0.0);`,
    });
    dy.dispose();
  }
  const partial = channelSums(backend, {
    key: 'batchNormGradient',
    inputs: { dy: masked, x, mean },
    rows,
    channels,
    terms: `first = dy[at];
      second = dy[at] * (x[at] - mean[channel]);`,
  });
  const dShift = finishSums(backend, 'dShift', partial, 'first', rows);
  const inverse = `second * inverseSqrt(variance[group] + ${epsilon})`;
  const dScale = finishSums(backend, `dScale ${epsilon}`, partial, inverse, rows, { variance });
  partial.dispose();
  const dx = runElementwise<Tensor4D>(backend, {
    key: 'batchNormGradient dx',
    inputs: { dy: masked, x, mean, variance, scale, dScale, dShift },
    outputShape: x.shape,
    integers: { channels },
    numbers: { epsilon, count: rows },
    // Mean and variance depend on x too: their two terms project out the constant and the normalized part.
    body: `
      let channel = index % uniforms.channels;
      let inverse = inverseSqrt(variance[channel] + uniforms.epsilon);
      let normalizedX = (x[index] - mean[channel]) * inverse;
      let through = (dShift[channel] + normalizedX * dScale[channel]) / uniforms.count;
      result[index] = (dy[index] - through) * scale[channel] * inverse;`,
  });
  if (overwriteInput) x.dispose();
  if (wantMasked) return { dx, dScale, dShift, masked };
  masked.dispose();
  return { dx, dScale, dShift };
}
