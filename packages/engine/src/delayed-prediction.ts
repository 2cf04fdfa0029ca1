import { bytesOf, type Span } from '@localgrad/core';
import type { GradientDelay, Segment } from './gradient-delay.js';
import { shapeBetween } from './heads.js';
import { type KeptBySegment, keptBetweenSteps, keptWithinStep } from './kept-bytes.js';
import type { Predictable } from './prediction.js';
import { predictBytes, type StepLoad } from './step-bytes.js';
import { sum } from './sum.js';

/** Predicted memory of steps in which gradients are late. */
export interface DelayedBytes {
  /** Batches, weights and gradients of earlier steps, between two steps. */
  readonly keptBytes: number;
  /** Peak while each module is running, beyond `keptBytes`. */
  readonly modules: readonly number[];
}

/** The steps whose memory is predicted. */
export interface DelayedLoad extends StepLoad {
  /** Samples of a step. */
  readonly batchSize: number;
  /** Samples of a micro-batch, which the costs of modules and heads are of. */
  readonly partSize: number;
  /** Whether all gradients wait for the end of the step; the caller counts them. */
  readonly holdsGradients: boolean;
}

/** Predicts the memory of the segments, which run one after the other in each micro-batch. */
export function predictDelayed(compiled: Predictable, delay: GradientDelay, load: DelayedLoad): DelayedBytes {
  const kept = delay.segments.map((segment, index): KeptBySegment => {
    const bytes = (module: number) => bytesOf(shapeBetween(compiled.network, module), load.batchSize);
    const [first, last] = segment.range;
    return {
      oldest: delay.steps * Math.max(0, ...segment.late.map(({ age }) => age)),
      inputBytes: bytes(first - 1),
      isBatch: first === compiled.range[0],
      weightBytes: weightBytes(compiled, segment.range),
      youngBytes: sum(segment.late.map(({ age, receives }) => (age === 1 ? receives : 0))) * bytes(last),
      oldBytes: sum(segment.late.map(({ age, receives }) => (age > 1 ? receives : 0))) * bytes(last),
      isReceived: index < delay.segments.length - 1,
    };
  });
  const modules = load.modules.map(() => 0);
  const parts = Math.ceil(load.batchSize / load.partSize);
  // In the last micro-batch late gradients are used; in the one before it, none of the earlier steps has been freed.
  for (const part of [parts - 2, parts - 1].filter((one) => one >= 0)) {
    delay.segments.forEach((segment, index) => {
      const others = keptWithinStep(kept, index, { part, parts });
      segmentPeaks(compiled, segment, load, part === parts - 1).forEach((bytes, module) => {
        if (bytes > 0) modules[module] = Math.max(modules[module] ?? 0, bytes + others);
      });
    });
  }
  return { keptBytes: keptBetweenSteps(kept, delay.steps), modules };
}

/** Peak while each module of a segment is running, beyond what is kept of earlier and of this step. */
function segmentPeaks(
  compiled: Predictable,
  { range: [first, last], schedule, sends, late }: Segment,
  load: DelayedLoad,
  isLastPart: boolean,
): number[] {
  const bytes = (module: number) => bytesOf(shapeBetween(compiled.network, module), load.partSize);
  const isFirst = first === compiled.range[0];
  // The input is kept for late passes, or is the output of the segment before, or the batch.
  const input = isFirst || late.length > 0 ? 0 : bytes(first - 1);
  // The output waits for the next segment, if that is not in another part.
  const output = last === compiled.range[1] ? 0 : bytes(last);
  const passes = [{ given: load, schedule, sends, waiting: input }];
  if (isLastPart) {
    const given = { ...load, heads: new Map() };
    passes.push(...late.map((one) => ({ given, schedule: one.schedule, sends: one.sends, waiting: output })));
  }
  const peaks = load.modules.map(() => 0);
  const holds = late.length > 0 && !load.holdsGradients;
  let hasGradients = false;
  let sent = 0;
  for (const pass of passes) {
    const { modules } = predictBytes(pass.given, pass.schedule, first, { keepsSent: !isFirst });
    modules.forEach((own, module) => {
      if (own === 0) return;
      // Gradients of the segment's weights wait: those of earlier passes, and of later modules in the same pass.
      const held = holds ? weightBytes(compiled, [hasGradients ? first : module + 1, last]) : 0;
      peaks[module] = Math.max(peaks[module] ?? 0, own + pass.waiting + held + sent);
    });
    hasGradients ||= pass.schedule.some((one) => one.op === 'finish' && one.weights);
    if (!isFirst) sent += pass.sends * bytes(first - 1);
  }
  return peaks;
}

/** Bytes of the trained values of adjacent modules. */
function weightBytes({ moduleBlocks }: Predictable, [first, last]: Span): number {
  const parameters = moduleBlocks.slice(first, last + 1).flatMap((blocks) => blocks.flatMap((one) => one.parameters));
  return 4 * sum(parameters.map(({ kind, size }) => (kind === 'weight' ? size : 0)));
}
