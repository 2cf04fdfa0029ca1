import { bytesOf } from '@localgrad/core';
import type { GradientDelay, Segment } from './gradient-delay.js';
import { shapeBetween } from './heads.js';
import type { Predictable } from './prediction.js';
import { predictBytes, type StepLoad } from './step-bytes.js';
import { sum } from './sum.js';

/** Predicted memory of steps in which gradients are late. */
export interface DelayedBytes {
  /** Batches, weights and gradients of earlier steps. */
  readonly keptBytes: number;
  /** Peak while each module is running, without what is kept between steps. */
  readonly modules: readonly number[];
}

/** Predicts the memory of the segments, which run one after the other. @param load costs of modules and heads */
export function predictDelayed(
  compiled: Predictable,
  delay: GradientDelay,
  batchSize: number,
  load: StepLoad,
): DelayedBytes {
  const kept = delay.segments.map((segment) => keptBytes(compiled, delay, segment, batchSize));
  const modules = load.modules.map(() => 0);
  for (const segment of delay.segments) {
    const { range, schedule, late } = segment;
    const [first] = range;
    const none: StepLoad = { ...load, heads: new Map() };
    const peaks = [
      predictBytes(load, schedule, first).modules,
      ...late.map((one) => predictBytes(none, one.schedule, first).modules),
    ];
    // The input of the first segment is the batch. The current input and weights are kept until the oldest ones are freed.
    const input = first === compiled.range[0] ? 0 : bytesOf(shapeBetween(compiled.network, first - 1), batchSize);
    const weights = late.length === 0 ? 0 : 4 * weightsOf(compiled, segment);
    for (const own of peaks) {
      own.forEach((bytes, module) => {
        // Gradients of the segment's weights wait for the late ones.
        if (bytes > 0) modules[module] = Math.max(modules[module] ?? 0, bytes + input + 2 * weights);
      });
    }
  }
  return { keptBytes: sum(kept), modules };
}

/** Bytes that a segment keeps between two steps. */
function keptBytes(compiled: Predictable, { steps }: GradientDelay, segment: Segment, batchSize: number): number {
  const { range, late } = segment;
  const oldest = steps * Math.max(0, ...late.map(({ age }) => age));
  const perStep = bytesOf(shapeBetween(compiled.network, range[0] - 1), batchSize) + 4 * weightsOf(compiled, segment);
  const arriving = sum(late.map(({ receives }) => receives));
  return oldest * perStep + steps * arriving * bytesOf(shapeBetween(compiled.network, range[1]), batchSize);
}

/** Number of trained values of a segment. */
function weightsOf({ moduleBlocks }: Predictable, { range: [first, last] }: Segment): number {
  return moduleBlocks
    .slice(first, last + 1)
    .flat()
    .flatMap(({ parameters }) => parameters)
    .reduce((total, { kind, size }) => total + (kind === 'weight' ? size : 0), 0);
}
