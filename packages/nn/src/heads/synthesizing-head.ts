import {
  type Block,
  bytesOf,
  formatShape,
  type Head,
  LocalgradError,
  rejectUnknownKeys,
  sameShape,
  type Targets,
} from '@localgrad/core';
import { mul, type Tensor4D } from '@tensorflow/tfjs';
import { sequential } from '../blocks/sequential.js';
import { costOf } from '../cost/cost-of.js';
import { gradientError } from '../losses/gradient-error.js';
import { requireTarget } from '../losses/targets.js';
import { blockHead, headCost } from './block-head.js';

/** Options of `synthesizingHead`. */
export interface SynthesizingHeadOptions {
  /** Name of the head, for messages, logs and `explain`. */
  readonly name: string;
  /** Blocks from the module's output to the predicted gradient, which has the same shape. */
  readonly blocks: readonly Block[];
  /** What the prediction depends on besides the module's output. Default: nothing. */
  readonly condition?: SynthesisCondition;
}

/** Targets of the batch that blocks of a head read. */
export interface SynthesisCondition {
  /** Names of the targets. */
  readonly reads: readonly string[];
  /** Called before the blocks run, with the targets, and afterwards with undefined. Borrowed */
  use(targets: Targets | undefined): void;
}

/**
 * A head that trains its module by a synthetic gradient: blocks predict the gradient of the module's output from that output,
 * and learn from the one that the next module computes, by `gradientError`.
 *
 * @throws LocalgradError `shape-mismatch` if the blocks do not return the shape of their input
 */
export function synthesizingHead(options: SynthesizingHeadOptions): Head {
  rejectUnknownKeys('synthesizingHead', options, ['name', 'blocks', 'condition']);
  const { name, blocks, condition } = options;
  const body = sequential(name, blocks);
  if (!sameShape(body.inputShape, body.outputShape)) {
    throw new LocalgradError(
      'shape-mismatch',
      `synthesizingHead '${name}': the blocks turn ${formatShape(body.inputShape)} into ${formatShape(body.outputShape)}; a gradient has the shape of its tensor.`,
      { name, inputShape: body.inputShape, outputShape: body.outputShape },
    );
  }
  const head = blockHead({ name, blocks, loss: gradientError });
  const conditioned = <T>(targets: Targets, run: () => T): T => {
    for (const target of condition?.reads ?? []) requireTarget(targets, target, `head '${name}'`);
    condition?.use(targets);
    try {
      return run();
    } finally {
      condition?.use(undefined);
    }
  };
  return {
    name,
    inputShape: head.inputShape,
    parameters: head.parameters,
    statistics: head.statistics,
    cost: {
      ...headCost(body, gradientError, { input: false }),
      synthesizePeakBytes: (batchSize) => synthesisPeak(blocks, batchSize),
    },
    reads: [...gradientError.reads, ...(condition?.reads ?? [])],
    evaluate: (h, targets, request) => conditioned(targets, () => head.evaluate(h, targets, request)),
    synthesize: (h, targets, { mode, weight }) =>
      conditioned(targets, () => {
        let x = h;
        for (const block of blocks) {
          const { output } = passOnly(block, x, mode);
          if (x !== h) x.dispose();
          x = output;
        }
        if (weight === 1) return x;
        const weighted = mul<Tensor4D>(x, weight);
        x.dispose();
        return weighted;
      }),
  };
}

function passOnly(block: Block, x: Tensor4D, mode: Parameters<Block['forward']>[1]) {
  const pass = block.forward(x, mode);
  pass.release();
  return pass;
}

/** Each block's input is freed once its output exists; the weighted prediction is a copy. */
function synthesisPeak(blocks: readonly Block[], batchSize: number): number {
  const peaks = blocks.map((block, index) => {
    const owned = index === 0 ? 0 : bytesOf(block.inputShape, batchSize);
    return owned + costOf(block).forwardPeakBytes(batchSize);
  });
  const [last] = blocks.slice(-1);
  return Math.max(...peaks, last === undefined ? 0 : 2 * bytesOf(last.outputShape, batchSize));
}
