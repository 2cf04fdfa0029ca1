import {
  type Block,
  type BlockCost,
  bytesOf,
  evaluationMode,
  type Head,
  type HeadCost,
  type Mode,
  recomputeMode,
  type Shape3,
  startOfTraining,
  type Targets,
  type Want,
} from '@localgrad/core';
import { MemoryMeter } from '@localgrad/kernels';
import { dispose, type Rank, type Tensor4D, zeros } from '@tensorflow/tfjs';
import { affineInBatchSize } from './affine.js';
import { countMultiplyAccumulates } from './multiply-accumulates.js';

const blockCosts = new WeakMap<Block, BlockCost>();
const headCosts = new WeakMap<Head, HeadCost>();

/** The declared cost of a block; otherwise measured once, on the current backend with small batches. */
export function costOf(block: Block): BlockCost {
  const known = block.cost ?? blockCosts.get(block) ?? measuredBlockCost(block);
  if (block.cost === undefined) blockCosts.set(block, known);
  return known;
}

/** Creates targets for a batch, to measure a head; owned by the caller. */
export type CreateTargets = (batchSize: number) => Targets;

/**
 * The declared cost of a head; otherwise measured once, on the current backend with small batches. A head that reads
 * targets other than `labels` is measured with those of `createTargets`; without it, memory is estimated from the
 * input.
 */
export function headCostOf(head: Head, createTargets?: CreateTargets): HeadCost {
  if (head.cost !== undefined) return head.cost;
  const known = headCosts.get(head);
  if (known !== undefined) return known;
  const create = createTargets ?? (readsLabelsOnly(head) ? labels : undefined);
  if (create === undefined) return estimatedHeadCost(head);
  const cost = measuredHeadCost(head, create);
  headCosts.set(head, cost);
  return cost;
}

/**
 * Whether `headCostOf` knows the cost of a head without `createTargets`. A head made of others declares a cost only if it knows
 * theirs: else it is measured as a whole, with the targets that it reads.
 */
export function isCostKnown(head: Head): boolean {
  return head.cost !== undefined || readsLabelsOnly(head);
}

function readsLabelsOnly({ reads = ['labels'] }: Head): boolean {
  return reads.every((target) => target === 'labels');
}

/** Multiply-accumulates of one forward pass, per sample. */
export function multiplyAccumulatesOf(owner: Block | Head): number {
  return ('vjp' in owner ? costOf(owner) : headCostOf(owner)).multiplyAccumulates;
}

function labels(batchSize: number): Targets {
  return { labels: zeros<Rank.R1>([batchSize], 'int32') };
}

function batchOf(shape: Shape3, batchSize: number): Tensor4D {
  return zeros([batchSize, ...shape]);
}

/**
 * The cost of a block as it is measured, whatever it declares; on the current backend with small batches. Measured lazily,
 * because most values are only needed to predict a step's memory.
 */
export function measuredBlockCost(block: Block): BlockCost {
  const vjpPeaks = new Map<string, (batchSize: number) => number>();
  const vjpPeak = (batchSize: number, want: Want, isShared: boolean): number => {
    const key = JSON.stringify([want.input, want.parameters, want.release, isShared]);
    const peak = vjpPeaks.get(key) ?? affineInBatchSize((size) => measureVjp(block, size, want, isShared));
    vjpPeaks.set(key, peak);
    return peak(batchSize);
  };
  const forwards = lazy(() => {
    const residuals = new Map<number, number>();
    const peakBytes = affineInBatchSize((batchSize) => {
      const { residualBytes, peakBytes: peak } = measureForward(block, batchSize);
      residuals.set(batchSize, residualBytes);
      return peak;
    });
    return { peakBytes, residualBytes: affineInBatchSize((batchSize) => residuals.get(batchSize) ?? 0) };
  });
  const multiplyAccumulates = lazy(() => {
    const x = batchOf(block.inputShape, 1);
    const count = countMultiplyAccumulates(() => releasePass(block, x, evaluationMode));
    x.dispose();
    return count;
  });
  return {
    get multiplyAccumulates() {
      return multiplyAccumulates();
    },
    residualBytes: (batchSize) => forwards().residualBytes(batchSize),
    forwardPeakBytes: (batchSize) => forwards().peakBytes(batchSize),
    vjpPeakBytes: (batchSize, want) => vjpPeak(batchSize, want, false),
    sharedVjpPeakBytes: (batchSize, want) => vjpPeak(batchSize, want, true),
  };
}

function releasePass(block: Block, x: Tensor4D, mode: Mode): void {
  const pass = block.forward(x, mode);
  pass.release();
  pass.output.dispose();
}

function measureForward(block: Block, batchSize: number) {
  const x = batchOf(block.inputShape, batchSize);
  return metered((meter) => {
    const pass = block.forward(x, recomputeMode);
    const peakBytes = meter.peakBytes;
    // An output that shares the input's data needs no additional memory.
    const residualBytes = Math.max(0, meter.liveBytes - bytesOf(block.outputShape, batchSize));
    pass.release();
    dispose([pass.output, x]);
    return { peakBytes, residualBytes };
  });
}

function measureVjp(block: Block, batchSize: number, want: Want, isShared: boolean): number {
  const x = batchOf(block.inputShape, batchSize);
  return metered((meter) => {
    const pass = block.forward(x, recomputeMode);
    const dy = batchOf(block.outputShape, batchSize);
    const remaining = isShared ? [dy.clone()] : [];
    meter.reset();
    const start = meter.liveBytes;
    const { input, parameters } = block.vjp(pass, dy, want);
    const peak = meter.peakBytes - start;
    pass.release();
    dispose([pass.output, x, ...remaining, ...(input === undefined ? [] : [input]), ...parameters.values()]);
    return peak;
  });
}

/** The cost of a head as it is measured, whatever it declares; lazily, on the current backend with small batches. */
export function measuredHeadCost(head: Head, create: CreateTargets): HeadCost {
  const multiplyAccumulates = lazy(() => {
    const run = () => evaluateOnce(head, create, 1, evaluationMode, (evaluate) => evaluate());
    return countMultiplyAccumulates(run);
  });
  const peak = lazy(() =>
    affineInBatchSize((batchSize) =>
      evaluateOnce(head, create, batchSize, recomputeMode, (evaluate) =>
        metered((meter) => {
          evaluate();
          return meter.peakBytes;
        }),
      ),
    ),
  );
  const synthesisPeak = lazy(() => affineInBatchSize((batchSize) => measureSynthesis(head, create, batchSize)));
  return {
    get multiplyAccumulates() {
      return multiplyAccumulates();
    },
    evaluatePeakBytes: (batchSize) => peak()(batchSize),
    ...(head.synthesize === undefined ? {} : { synthesizePeakBytes: (batchSize) => synthesisPeak()(batchSize) }),
  };
}

function measureSynthesis(head: Head, create: CreateTargets, batchSize: number): number {
  const h = batchOf(head.inputShape, batchSize);
  const targets = create(batchSize);
  const peak = metered((meter) => {
    head.synthesize?.(h, targets, { mode: recomputeMode, weight: 1, clock: startOfTraining }).dispose();
    return meter.peakBytes;
  });
  dispose([h, ...Object.values(targets).filter((target) => target !== undefined)]);
  return peak;
}

function evaluateOnce<T>(
  head: Head,
  create: CreateTargets,
  batchSize: number,
  mode: Mode,
  use: (evaluate: () => void) => T,
): T {
  const h = batchOf(head.inputShape, batchSize);
  const targets = create(batchSize);
  const result = use(() => {
    // The engine asks heads that synthesize gradients for no cotangent of their input.
    const request = { mode, weight: 1, input: head.synthesize === undefined, clock: startOfTraining };
    const { loss, terms, input, parameters } = head.evaluate(h, targets, request);
    dispose([loss, ...(terms?.values() ?? []), ...(input === undefined ? [] : [input]), ...parameters.values()]);
  });
  dispose([h, ...Object.values(targets).filter((target) => target !== undefined)]);
  return result;
}

/** Eight times the input, and a gradient for each weight. */
function estimatedHeadCost(head: Head): HeadCost {
  const gradients = head.parameters.reduce((sum, { kind, size }) => sum + (kind === 'weight' ? 4 * size : 0), 0);
  return {
    multiplyAccumulates: 0,
    evaluatePeakBytes: (batchSize) => 8 * bytesOf(head.inputShape, batchSize) + gradients,
  };
}

function metered<T>(run: (meter: MemoryMeter) => T): T {
  const meter = new MemoryMeter();
  try {
    return run(meter);
  } finally {
    meter.detach();
  }
}

function lazy<T>(create: () => T): () => T {
  let known: { readonly value: T } | undefined;
  return () => {
    known ??= { value: create() };
    return known.value;
  };
}
