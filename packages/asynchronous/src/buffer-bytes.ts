import { at, bytesOf } from '@localgrad/core';
import type { CompiledPlan } from '@localgrad/engine';
import * as tf from '@tensorflow/tfjs';
import { type AsynchronousOptions, resolveAsynchronous } from './options.js';

/** The replay buffer of one module. */
export interface BufferDescription {
  /** Index of the module whose outputs it stores. */
  readonly module: number;
  /** Number of batches. */
  readonly slots: number;
  /** Targets that are stored with them, which later losses read. */
  readonly targets: readonly string[];
  /** Bytes of the full buffer. */
  readonly bytes: number;
}

/** Replay buffers of a plan. */
export interface BuffersDescription {
  /** One per module that stores its outputs. */
  readonly buffers: readonly BufferDescription[];
  /** Bytes of all full buffers; less where they store the same batch, whose targets they share. */
  readonly bytes: number;
}

/**
 * What the replay buffers of a plan contain once they are full.
 *
 * @param storing indices of the modules that store their outputs. Default: all but the last
 * @throws LocalgradError `invalid-option`
 */
export function describeBuffers(
  compiled: CompiledPlan,
  options: AsynchronousOptions,
  batchSize: number,
  storing: readonly number[] = compiled.modules.slice(0, -1).map((_, module) => module),
): BuffersDescription {
  const { bufferSize: slots } = resolveAsynchronous(options, compiled.modules.length);
  const buffers = storing.map((module) => {
    const { outputShape } = at(compiled.modules, module, 'module');
    const targets = bufferTargets(compiled, module);
    const batchBytes = bytesOf(outputShape, batchSize) + targetBytes(compiled, targets, batchSize);
    return { module, slots, targets, bytes: slots * batchBytes };
  });
  return { buffers, bytes: buffers.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** Targets that losses after a module read from the batch. */
export function bufferTargets({ heads, reads }: CompiledPlan, module: number): readonly string[] {
  const later = [...heads].filter(([index]) => index > module).flatMap(([, group]) => group);
  return reads.filter((name) => later.some(({ head }) => (head.reads ?? ['labels']).includes(name)));
}

/** Bytes of a batch's targets: those of other tasks are measured, if the plan can create some. */
function targetBytes({ network, createTargets }: CompiledPlan, names: readonly string[], batchSize: number): number {
  const others = names.filter((name) => name !== 'labels' && name !== 'images');
  const known =
    (names.includes('labels') ? 4 * batchSize : 0) +
    (names.includes('images') ? bytesOf(network.imageShape, batchSize) : 0);
  if (others.length === 0 || createTargets === undefined) return known;
  const sizes = tf.tidy(() => {
    const targets = createTargets(batchSize);
    return others.map((name) => targets[name]?.size ?? 0);
  });
  return known + sizes.reduce((sum, size) => sum + 4 * size, 0);
}
