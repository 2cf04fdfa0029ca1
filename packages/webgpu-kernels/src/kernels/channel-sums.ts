import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { rectified } from '../missing.js';
import { type ProgramRequest, runProgram, type WebGpuBackend } from '../program.js';

/** Minimum number of rows per invocation. */
const rowsEach = 64;

/** Maximum number of pieces of the rows. */
const mostPieces = 1024;

export interface ChannelSums {
  readonly key: string;
  /** Each has the shape [rows, channels] or [channels]. */
  readonly inputs: ProgramRequest['inputs'];
  readonly rows: number;
  readonly channels: number;
  /** WGSL: sets `first` and `second` for element `at` (`channel` is its channel). */
  readonly terms: string;
}

/**
 * Sums of two terms per channel over each piece of the rows, shape [2, pieces, channels]; `finishSums` adds up the pieces.
 * Neighboring invocations of a workgroup read neighboring channels.
 */
export function channelSums(backend: WebGpuBackend, request: ChannelSums): Tensor {
  const { key, inputs, rows, channels, terms } = request;
  const length = Math.max(rowsEach, Math.ceil(rows / mostPieces));
  const pieces = Math.ceil(rows / length);
  return runProgram(backend, {
    key: `${key} sums`,
    inputs,
    outputShape: [2, pieces, channels],
    integers: { rows, channels, pieces, pieceLength: length },
    workgroups: Math.ceil((pieces * channels) / 64),
    body: `
      if (index >= uniforms.pieces * uniforms.channels) { return; }
      let channel = index % uniforms.channels;
      let start = (index / uniforms.channels) * uniforms.pieceLength;
      let end = min(start + uniforms.pieceLength, uniforms.rows);
      var firstSum = 0.0;
      var secondSum = 0.0;
      for (var row = start; row < end; row++) {
        let at = row * uniforms.channels + channel;
        var first = 0.0;
        var second = 0.0;
        ${terms}
        firstSum += first;
        secondSum += second;
      }
      result[index] = firstSum;
      result[uniforms.pieces * uniforms.channels + index] = secondSum;`,
  });
}

/** Adds up the pieces, one workgroup per channel, and computes `value` (WGSL) from the two sums. */
export function finishSums(
  backend: WebGpuBackend,
  key: string,
  partial: Tensor,
  value: string,
  rows: number,
  more: ProgramRequest['inputs'] = {},
): Tensor1D {
  const [, pieces, channels] = partial.shape as [number, number, number];
  return runProgram<Tensor1D>(backend, {
    key: `${key} finish`,
    inputs: { pieceSums: partial, ...more },
    outputShape: [channels],
    integers: { pieces, channels },
    numbers: { count: rows },
    workgroups: channels,
    declarations: `${rectified}
      var<workgroup> shares : array<vec2<f32>, 64>;`,
    body: `
      let channel = min(group, uniforms.channels - 1);
      var share = vec2<f32>(0.0);
      for (var piece = local; piece < uniforms.pieces; piece += 64) {
        let at = piece * uniforms.channels + channel;
        share += vec2<f32>(pieceSums[at], pieceSums[uniforms.pieces * uniforms.channels + at]);
      }
      shares[local] = share;
      workgroupBarrier();
      for (var half = 32; half > 0; half /= 2) {
        if (local < half) { shares[local] += shares[local + half]; }
        workgroupBarrier();
      }
      if (local == 0 && group < uniforms.channels) {
        let first = shares[0].x;
        let second = shares[0].y;
        result[group] = ${value};
      }`,
  });
}
