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
import { add, type Tensor4D } from '@tensorflow/tfjs';
import { costOf } from '../cost/cost-of.js';
import { vjpPeakOf, vjpPeaks } from '../cost/vjp-peaks.js';
import { addGradients, parametersOf, statisticsOf } from './add-gradients.js';
import { Ledger } from './ledger.js';
import { evaluationPass, TrainingPass } from './pass.js';
import { gradientBytes } from './sequence-cost.js';
import { type FrugalBlock, type VjpReads, vjpReadsOf, withoutOutput } from './vjp-reads.js';

/**
 * Applies two blocks to the same input and adds their outputs. Only the sum is kept if a block's VJP does not need its
 * output.
 *
 * @throws LocalgradError `shape-mismatch` when their inputs or outputs differ
 */
export function parallelSum(name: string, first: Block, second: Block): Block {
  return new ParallelSum(name, first, second);
}

class ParallelSum implements FrugalBlock {
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[];
  readonly cost: BlockCost;
  readonly vjpReads: VjpReads;
  readonly #first: Block;
  readonly #second: Block;

  constructor(name: string, first: Block, second: Block) {
    for (const side of ['inputShape', 'outputShape'] as const) {
      if (sameShape(first[side], second[side])) continue;
      throw new LocalgradError(
        'shape-mismatch',
        `parallelSum '${name}': ${side} of '${first.name}' is ${formatShape(first[side])}, of '${second.name}' ${formatShape(second[side])}; they must be equal.`,
        { name, first: first[side], second: second[side] },
      );
    }
    this.name = name;
    this.#first = withoutOutput(first);
    this.#second = withoutOutput(second);
    this.inputShape = first.inputShape;
    this.outputShape = first.outputShape;
    this.parameters = parametersOf([first, second]);
    this.statistics = statisticsOf([first, second]);
    this.vjpReads = { input: vjpReadsOf(first).input || vjpReadsOf(second).input, output: false };
    this.cost = parallelCost(this.#first, this.#second);
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    const passes = [this.#first.forward(x, mode), this.#second.forward(x, mode)] as const;
    const output = add<Tensor4D>(passes[0].output, passes[1].output);
    const frees = [this.#first, this.#second].map((block) => !(mode.training && vjpReadsOf(block).output));
    passes.forEach((pass, index) => {
      if (frees[index]) pass.output.dispose();
    });
    if (!mode.training) return evaluationPass(x, output);
    return new TrainingPass<readonly [Pass, Pass]>(this, x, output, passes, (kept) => {
      kept.forEach((pass, index) => {
        pass.release();
        if (!frees[index]) pass.output.dispose();
      });
    });
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    const [first, second] = TrainingPass.open<readonly [Pass, Pass]>(this, pass, want.release);
    // The second block receives its own copy of the cotangent, because a block may overwrite the one it receives.
    const forSecond = dy.clone();
    const left = this.#first.vjp(first, dy, want);
    if (want.release && vjpReadsOf(this.#first).output) first.output.dispose();
    const right = this.#second.vjp(second, forSecond, want);
    if (want.release && vjpReadsOf(this.#second).output) second.output.dispose();
    const parameters = new Map(left.parameters);
    addGradients(parameters, right.parameters);
    if (left.input === undefined || right.input === undefined) return { parameters };
    const input = currentKernels().accumulate(left.input, right.input);
    right.input.dispose();
    return { input, parameters };
  }

  replicate(scope: ParameterScope): Block {
    const copies = [this.#first.replicate(scope.scope('0')), this.#second.replicate(scope.scope('1'))] as const;
    return new ParallelSum(this.name, ...copies);
  }
}

function parallelCost(first: Block, second: Block): BlockCost {
  const outputBytes = (batchSize: number) => bytesOf(first.outputShape, batchSize);
  const keptOutput = (block: Block, batchSize: number) => (vjpReadsOf(block).output ? outputBytes(batchSize) : 0);
  const both = [first, second];
  const kept = (block: Block, batchSize: number) =>
    costOf(block).residualBytes(batchSize) + keptOutput(block, batchSize);
  return {
    get multiplyAccumulates() {
      return costOf(first).multiplyAccumulates + costOf(second).multiplyAccumulates;
    },
    residualBytes: (batchSize) => kept(first, batchSize) + kept(second, batchSize),
    forwardPeakBytes: (batchSize) => {
      const ledger = new Ledger();
      for (const block of both) {
        ledger.touch(costOf(block).forwardPeakBytes(batchSize));
        ledger.take(costOf(block).residualBytes(batchSize) + outputBytes(batchSize));
      }
      ledger.take(outputBytes(batchSize));
      return ledger.peak;
    },
    ...vjpPeaks((batchSize, want, isShared) => {
      const ledger = new Ledger();
      both.forEach((block, index) => {
        // While the first block runs, dy is kept for the second.
        ledger.touch(vjpPeakOf(block, batchSize, want, isShared || index === 0));
        if (want.release) ledger.give(kept(block, batchSize));
        if (want.parameters) ledger.take(gradientBytes(block));
        if (want.input) ledger.take(bytesOf(block.inputShape, batchSize));
      });
      return ledger.peak;
    }),
  };
}
