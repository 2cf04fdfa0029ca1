import {
  type Block,
  type BlockCost,
  bytesOf,
  type Cotangents,
  formatShape,
  LocalgradError,
  type Mode,
  type Parameter,
  type ParameterScope,
  type Pass,
  type Shape3,
  sameShape,
  type Want,
} from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import { add, concat, slice, type Tensor4D } from '@tensorflow/tfjs';
import { costOf } from '../cost/cost-of.js';
import { vjpPeakOf, vjpPeaks } from '../cost/vjp-peaks.js';
import { Ledger } from './ledger.js';
import { evaluationPass, TrainingPass } from './pass.js';
import { gradientBytes } from './sequence-cost.js';
import { type FrugalBlock, type VjpReads, vjpReadsOf, withoutOutput } from './vjp-reads.js';

/** The cotangents of a join's two sides; owned by the receiver. */
interface Split {
  /** Absent if the input's cotangent is not requested. */
  readonly forInput?: Tensor4D;
  readonly forBody: Tensor4D;
}

/** Combines a block's input with its body's output. */
interface Join {
  outputShape(inputShape: Shape3, bodyShape: Shape3): Shape3;
  /** Borrows both; the result belongs to the caller. */
  join(x: Tensor4D, y: Tensor4D): Tensor4D;
  /** Consumes dy. */
  split(dy: Tensor4D, inputChannels: number, wantInput: boolean): Split;
  /** Whether `split` copies the cotangent; otherwise both sides share its buffer. */
  readonly copies: boolean;
}

const sum: Join = {
  outputShape: (inputShape) => inputShape,
  join: (x, y) => add(x, y),
  // The body receives its own handle, because a block may overwrite the cotangent that it receives.
  split: (dy, _, wantInput) => (wantInput ? { forInput: dy, forBody: dy.clone() } : { forBody: dy }),
  copies: false,
};

const channelConcatenation: Join = {
  outputShape: ([height, width, channels], [, , added]) => [height, width, channels + added],
  join: (x, y) => concat([x, y], 3),
  split: (dy, inputChannels, wantInput) => {
    const [batch, height, width, channels] = dy.shape;
    const part = (start: number, end: number) => slice(dy, [0, 0, 0, start], [batch, height, width, end - start]);
    const forBody = part(inputChannels, channels);
    const parts = wantInput ? { forInput: part(0, inputChannels), forBody } : { forBody };
    dy.dispose();
    return parts;
  },
  copies: true,
};

/**
 * x + body(x): a residual block with identity shortcut.
 *
 * @throws LocalgradError `shape-mismatch` when the body changes the shape
 */
export function residual(name: string, body: Block): Block {
  requireSameShape('residual', name, body, body.inputShape, body.outputShape);
  return new Shortcut(name, body, sum);
}

/**
 * x followed by body(x) along the channels, as in DenseNet.
 *
 * @throws LocalgradError `shape-mismatch` when the body changes height or width
 */
export function concatenation(name: string, body: Block): Block {
  const [height, width] = body.inputShape;
  requireSameShape('concatenation', name, body, [height, width, body.outputShape[2]], body.outputShape);
  return new Shortcut(name, body, channelConcatenation);
}

function requireSameShape(where: string, name: string, body: Block, expected: Shape3, found: Shape3): void {
  if (sameShape(expected, found)) return;
  throw new LocalgradError(
    'shape-mismatch',
    `${where} '${name}': '${body.name}' outputs ${formatShape(found)}; expected ${formatShape(expected)}.`,
    { name, expected, found },
  );
}

class Shortcut implements FrugalBlock {
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[];
  readonly cost: BlockCost;
  readonly vjpReads: VjpReads;
  readonly #body: Block;
  readonly #join: Join;

  constructor(name: string, body: Block, join: Join) {
    this.name = name;
    this.#body = withoutOutput(body);
    this.#join = join;
    this.inputShape = body.inputShape;
    this.outputShape = join.outputShape(body.inputShape, body.outputShape);
    this.parameters = body.parameters;
    this.statistics = body.statistics;
    this.vjpReads = { input: vjpReadsOf(this.#body).input, output: false };
    this.cost = shortcutCost(this.#body, this.outputShape, join);
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    const inner = this.#body.forward(x, mode);
    const output = this.#join.join(x, inner.output);
    const keeps = mode.training && vjpReadsOf(this.#body).output;
    if (!keeps) inner.output.dispose();
    if (!mode.training) return evaluationPass(x, output);
    return new TrainingPass<Pass>(this, x, output, inner, (kept) => {
      kept.release();
      if (keeps) kept.output.dispose();
    });
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    const inner = TrainingPass.open<Pass>(this, pass, want.release);
    const { forInput, forBody } = this.#join.split(dy, this.inputShape[2], want.input);
    const { input: through, parameters } = this.#body.vjp(inner, forBody, want);
    if (want.release && vjpReadsOf(this.#body).output) inner.output.dispose();
    if (forInput === undefined || through === undefined) {
      forInput?.dispose();
      return { parameters };
    }
    const input = currentKernels().accumulate(through, forInput);
    forInput.dispose();
    return { input, parameters };
  }

  replicate(scope: ParameterScope): Block {
    return new Shortcut(this.name, this.#body.replicate(scope), this.#join);
  }
}

function shortcutCost(body: Block, outputShape: Shape3, { copies }: Join): BlockCost {
  const inputBytes = (batchSize: number) => bytesOf(body.inputShape, batchSize);
  const bodyBytes = (batchSize: number) => bytesOf(body.outputShape, batchSize);
  const keptBytes = (batchSize: number) =>
    costOf(body).residualBytes(batchSize) + (vjpReadsOf(body).output ? bodyBytes(batchSize) : 0);
  return {
    get multiplyAccumulates() {
      return costOf(body).multiplyAccumulates;
    },
    residualBytes: keptBytes,
    forwardPeakBytes: (batchSize) => {
      const ledger = new Ledger();
      ledger.touch(costOf(body).forwardPeakBytes(batchSize));
      ledger.take(costOf(body).residualBytes(batchSize) + bodyBytes(batchSize) + bytesOf(outputShape, batchSize));
      return ledger.peak;
    },
    ...vjpPeaks((batchSize, want, isShared) => {
      const ledger = new Ledger();
      if (copies) {
        ledger.take(bodyBytes(batchSize) + (want.input ? inputBytes(batchSize) : 0));
        if (!isShared) ledger.give(bytesOf(outputShape, batchSize));
      }
      // The input's side of a sum has the cotangent's buffer, too.
      const sharesBuffer = !copies && (want.input || isShared);
      ledger.touch(vjpPeakOf(body, batchSize, want, sharesBuffer));
      if (!sharesBuffer) ledger.give(bodyBytes(batchSize));
      if (want.release) ledger.give(keptBytes(batchSize));
      if (want.parameters) ledger.take(gradientBytes(body));
      if (want.input) ledger.take(inputBytes(batchSize));
      return ledger.peak;
    }),
  };
}
