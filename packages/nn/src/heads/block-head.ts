import {
  type Block,
  bytesOf,
  evaluationMode,
  type Head,
  type HeadCost,
  type HeadRequest,
  type HeadResult,
  rejectUnknownKeys,
  type Targets,
  type Want,
} from '@localgrad/core';
import type { Tensor, Tensor4D } from '@tensorflow/tfjs';
import { asRows } from '../blocks/dense.js';
import { Ledger } from '../blocks/ledger.js';
import { gradientBytes } from '../blocks/sequence-cost.js';
import { sequential } from '../blocks/sequential.js';
import { type VjpToMeans, vjpToMeansOf } from '../blocks/window-means.js';
import { costOf } from '../cost/cost-of.js';
import type { LossFunction } from '../losses/loss-function.js';
import { requireTarget } from '../losses/targets.js';
import { choiceOf } from './choice.js';
import { declarePooledEvaluation } from './pooled-evaluation.js';

/** Options of `blockHead`. */
export interface BlockHeadOptions {
  /** Name of the head, for messages, logs and `explain`. */
  readonly name: string;
  /** Blocks from the module's output to the input of the loss. */
  readonly blocks: readonly Block[];
  /** Computes the loss from the last block's output. */
  readonly loss: LossFunction;
}

/** A head of blocks and a loss, with one forward and one backward pass; tensors are freed as early as possible. */
export function blockHead(options: BlockHeadOptions): Head {
  rejectUnknownKeys('blockHead', options, ['name', 'blocks', 'loss']);
  const { name, blocks, loss } = options;
  const body = sequential(name, blocks);
  const checkTargets = (targets: Targets): void => {
    for (const target of loss.reads) requireTarget(targets, target, `head '${name}'`);
  };

  const evaluateWith = (vjp: Vjp, h: Tensor4D, targets: Targets, request: HeadRequest): HeadResult => {
    const { mode, weight, input, labelSmoothing } = request;
    checkTargets(targets);
    const pass = body.forward(h, mode);
    const { loss: value, cotangent } = loss.evaluate(pass.output, targets, weight, { labelSmoothing });
    if (!mode.training) {
      cotangent.dispose();
      pass.output.dispose();
      return { loss: value, parameters: new Map() };
    }
    const result = vjp(pass, cotangent, { input, parameters: true, release: true });
    pass.output.dispose();
    return { loss: value, ...result };
  };

  const predict = (h: Tensor4D): Tensor => {
    const { output } = body.forward(h, evaluationMode);
    const [height, width] = body.outputShape;
    if (height !== 1 || width !== 1) return output;
    const rows = asRows(output);
    output.dispose();
    return rows;
  };

  const measure = (h: Tensor4D, targets: Targets): ReadonlyMap<string, Tensor> => {
    checkTargets(targets);
    const { output } = body.forward(h, evaluationMode);
    const { loss: value, cotangent } = loss.evaluate(output, targets, 1);
    cotangent.dispose();
    const metrics = new Map<string, Tensor>([['loss', value], ...(loss.metrics?.(output, targets, value) ?? [])]);
    output.dispose();
    return metrics;
  };

  const head: Head = {
    name,
    inputShape: body.inputShape,
    parameters: body.parameters,
    statistics: body.statistics,
    cost: headCost(body, loss, { input: true }),
    reads: loss.reads,
    evaluate: (...given) => evaluateWith((...values) => body.vjp(...values), ...given),
    measure,
    ...(loss.summarize === undefined ? {} : { summarize: loss.summarize }),
    ...choiceOf(loss),
    ...(loss.predicts ? { predict } : {}),
    ...(loss.measureProbabilities === undefined ? {} : { measureProbabilities: loss.measureProbabilities.bind(loss) }),
  };
  const toMeans = vjpToMeansOf(body);
  if (toMeans !== undefined) {
    const cost = headCost(body, loss, { input: true }, toMeans);
    declarePooledEvaluation(head, {
      shape: toMeans.shape,
      evaluate: (...given) => evaluateWith((...values) => toMeans.vjp(...values), ...given),
      evaluatePeakBytes: (batchSize) => cost.evaluatePeakBytes(batchSize),
    });
  }
  return head;
}

type Vjp = Block['vjp'];

/** Cost of blocks and a loss. `input`: with the cotangent of the blocks' input, or of the means that they start with. */
export function headCost(
  body: Block,
  loss: LossFunction,
  { input }: Pick<Want, 'input'>,
  toMeans?: VjpToMeans,
): HeadCost {
  return {
    get multiplyAccumulates() {
      return costOf(body).multiplyAccumulates;
    },
    evaluatePeakBytes: (batchSize) => {
      const ledger = new Ledger();
      const outputBytes = bytesOf(body.outputShape, batchSize);
      ledger.touch(costOf(body).forwardPeakBytes(batchSize));
      ledger.take(costOf(body).residualBytes(batchSize) + outputBytes);
      ledger.touch(loss.peakBytes(body.outputShape, batchSize));
      // The loss and the cotangent.
      ledger.take(4 + outputBytes);
      // The VJP's own peak is at least what it returns: its gradients and the input's cotangent.
      const want = { input, parameters: true, release: true };
      const vjpPeak = toMeans?.peakBytes(batchSize, want) ?? costOf(body).vjpPeakBytes(batchSize, want);
      ledger.touch(vjpPeak);
      ledger.give(costOf(body).residualBytes(batchSize) + 2 * outputBytes);
      ledger.take(gradientBytes(body) + (input ? bytesOf(toMeans?.shape ?? body.inputShape, batchSize) : 0));
      return ledger.peak;
    },
  };
}
