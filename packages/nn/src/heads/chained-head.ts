import {
  type Block,
  bytesOf,
  evaluationMode,
  formatShape,
  type Head,
  type HeadCost,
  LocalgradError,
  type Parameter,
  sameShape,
  type Targets,
} from '@localgrad/core';
import type { Tensor, Tensor4D } from '@tensorflow/tfjs';
import { addGradients, parametersOf, statisticsOf } from '../blocks/add-gradients.js';
import { Ledger } from '../blocks/ledger.js';
import { gradientBytes } from '../blocks/sequence-cost.js';
import { costOf, headCostOf, isCostKnown } from '../cost/cost-of.js';
import { choiceOf } from './choice.js';

/**
 * Places a block before a head: the head reads the block's output, and its gradient propagates through the block.
 *
 * @throws LocalgradError `shape-mismatch` when the block's output does not match the head's input
 */
export function chainedHead(name: string, chain: Block, head: Head): Head {
  if (!sameShape(chain.outputShape, head.inputShape)) {
    throw new LocalgradError(
      'shape-mismatch',
      `chainedHead '${name}': '${chain.name}' outputs ${formatShape(chain.outputShape)}, but head '${head.name}' expects ${formatShape(head.inputShape)}.`,
      { name, given: chain.outputShape, taken: head.inputShape },
    );
  }
  /** Runs `use` on the chain's output in evaluation mode. */
  const afterChain = <T>(h: Tensor4D, use: (output: Tensor4D) => T): T => {
    const { output } = chain.forward(h, evaluationMode);
    const result = use(output);
    output.dispose();
    return result;
  };
  const { predict, measure, summarize } = head;
  return {
    name,
    inputShape: chain.inputShape,
    parameters: parametersOf([chain, head]),
    statistics: statisticsOf([chain, head]),
    ...(isCostKnown(head) ? { cost: chainedCost(chain, head) } : {}),
    evaluate: (h, targets, request) => {
      const { mode, input } = request;
      const pass = chain.forward(h, mode);
      const {
        input: cotangent,
        parameters,
        ...values
      } = head.evaluate(pass.output, targets, {
        ...request,
        input: mode.training,
      });
      if (cotangent === undefined) {
        pass.release();
        pass.output.dispose();
        return { ...values, parameters };
      }
      const result = chain.vjp(pass, cotangent, { input, parameters: true, release: true });
      pass.output.dispose();
      const gradients = new Map<Parameter, Tensor>(parameters);
      addGradients(gradients, result.parameters);
      return { ...values, ...(result.input === undefined ? {} : { input: result.input }), parameters: gradients };
    },
    ...(head.reads === undefined ? {} : { reads: head.reads }),
    ...(head.termWeights === undefined ? {} : { termWeights: head.termWeights }),
    ...(head.state === undefined ? {} : { state: head.state }),
    ...(head.averages === undefined ? {} : { averages: head.averages }),
    ...(predict === undefined
      ? {}
      : { predict: (h: Tensor4D): Tensor => afterChain(h, (output) => predict.call(head, output)) }),
    ...(measure === undefined
      ? {}
      : {
          measure: (h: Tensor4D, targets: Targets): ReadonlyMap<string, Tensor> =>
            afterChain(h, (output) => measure.call(head, output, targets)),
        }),
    ...(summarize === undefined ? {} : { summarize: (counts) => summarize.call(head, counts) }),
    ...choiceOf(head),
  };
}

function chainedCost(chain: Block, head: Head): HeadCost {
  return {
    get multiplyAccumulates() {
      return costOf(chain).multiplyAccumulates + headCostOf(head).multiplyAccumulates;
    },
    evaluatePeakBytes: (batchSize) => {
      const ledger = new Ledger();
      const outputBytes = bytesOf(chain.outputShape, batchSize);
      ledger.touch(costOf(chain).forwardPeakBytes(batchSize));
      ledger.take(costOf(chain).residualBytes(batchSize) + outputBytes);
      ledger.touch(headCostOf(head).evaluatePeakBytes(batchSize));
      ledger.take(4 + gradientBytes(head) + outputBytes);
      ledger.touch(costOf(chain).vjpPeakBytes(batchSize, { input: true, parameters: true, release: true }));
      return ledger.peak;
    },
  };
}
