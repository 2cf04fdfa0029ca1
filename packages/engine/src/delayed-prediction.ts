import { bytesOf, type Span } from '@localgrad/core';
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
  for (const { range, schedule, late } of delay.segments) {
    const [first, last] = range;
    const bytesAfter = (module: number) => bytesOf(shapeBetween(compiled.network, module), batchSize);
    // The input of the first segment is the batch. The current one is kept until the oldest one is freed.
    const input = first === compiled.range[0] ? 0 : bytesAfter(first - 1);
    // The output waits for the next segment, if that is not in another part.
    const output = last === compiled.range[1] ? 0 : bytesAfter(last);
    const none: StepLoad = { ...load, heads: new Map() };
    const passes = [
      { schedule, load, waiting: input },
      ...late.map((one) => ({ schedule: one.schedule, load: none, waiting: input + output })),
    ];
    // Gradients of the segment's weights wait for the late ones: those of earlier passes, and of later modules in the same pass.
    let hasGradients = false;
    for (const pass of passes) {
      predictBytes(pass.load, pass.schedule, first).modules.forEach((own, module) => {
        if (own === 0) return;
        const held = late.length === 0 ? 0 : 4 * weightsOf(compiled, [hasGradients ? first : module + 1, last]);
        modules[module] = Math.max(modules[module] ?? 0, own + pass.waiting + held);
      });
      hasGradients ||= pass.schedule.some((one) => one.op === 'finish' && one.weights);
    }
  }
  return { keptBytes: sum(kept), modules };
}

/** Bytes that a segment keeps between two steps. */
function keptBytes(compiled: Predictable, { steps }: GradientDelay, segment: Segment, batchSize: number): number {
  const { range, late } = segment;
  const oldest = steps * Math.max(0, ...late.map(({ age }) => age));
  const perStep = bytesOf(shapeBetween(compiled.network, range[0] - 1), batchSize) + 4 * weightsOf(compiled, range);
  const arriving = sum(late.map(({ receives }) => receives));
  return oldest * perStep + steps * arriving * bytesOf(shapeBetween(compiled.network, range[1]), batchSize);
}

/** Number of trained values of adjacent modules. */
function weightsOf({ moduleBlocks }: Predictable, [first, last]: Span): number {
  return moduleBlocks
    .slice(first, last + 1)
    .flat()
    .flatMap(({ parameters }) => parameters)
    .reduce((total, { kind, size }) => total + (kind === 'weight' ? size : 0), 0);
}
