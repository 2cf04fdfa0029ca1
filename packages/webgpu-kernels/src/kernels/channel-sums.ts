import type { Tensor } from '@tensorflow/tfjs';
import { addShares } from '../add-shares.js';
import { rectified } from '../missing.js';
import { type ProgramRequest, runProgram, type WebGpuBackend } from '../program.js';
import { type ManyRequest, runProgramMany } from '../program-many.js';

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
  readonly integers?: ProgramRequest['integers'];
  readonly numbers?: ProgramRequest['numbers'];
  /** WGSL: sets `first` and `second` for element `at` (`channel` is its channel). */
  readonly terms: string;
}

/**
 * Sums of two terms over all rows, for each channel: pieces of rows first, neighbours in a workgroup reading neighbouring
 * channels. Result of shape [2, pieces, channels], for `finishChannels`.
 */
export function channelSums(backend: WebGpuBackend, request: ChannelSums): Tensor {
  const { key, inputs, rows, channels, integers = {}, numbers = {}, terms } = request;
  const length = Math.max(rowsEach, Math.ceil(rows / mostPieces));
  const pieces = Math.ceil(rows / length);
  return runProgram(backend, {
    key: `${key} sums`,
    inputs,
    outputShape: [2, pieces, channels],
    integers: { rows, channels, pieces, pieceLength: length, ...integers },
    numbers,
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

export interface ChannelFinish {
  readonly key: string;
  /** Of `channelSums`. Borrowed. */
  readonly partial: Tensor;
  readonly rows: number;
  readonly inputs: ProgramRequest['inputs'];
  readonly outputs: ManyRequest['outputs'];
  /** Buffers that are changed in place. */
  readonly changed?: ManyRequest['changed'];
  readonly numbers?: ProgramRequest['numbers'];
  /** WGSL: writes the results of `channel` from its sums `first` and `second`. */
  readonly body: string;
}

/** Adds the pieces up, a workgroup for each channel, and makes of the two sums all that a layer needs. */
export function finishChannels(backend: WebGpuBackend, request: ChannelFinish): Record<string, Tensor> {
  const { key, partial, rows, inputs, outputs, changed, numbers = {}, body } = request;
  const [, pieces, channels] = partial.shape as [number, number, number];
  return runProgramMany(backend, {
    key: `${key} finish`,
    inputs: { pieceSums: partial, ...inputs },
    outputs,
    changed,
    integers: { pieces, channels },
    numbers: { count: rows, ...numbers },
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
      ${addShares()}
      if (local == 0 && group < uniforms.channels) {
        let first = shares[0].x;
        let second = shares[0].y;
        ${body}
      }`,
  });
}
