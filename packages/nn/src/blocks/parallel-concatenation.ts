import {
  at,
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
import { concat, slice, type Tensor, type Tensor4D } from '@tensorflow/tfjs';
import { costOf } from '../cost/cost-of.js';
import { vjpPeaks } from '../cost/vjp-peaks.js';
import { addGradients, parametersOf, statisticsOf } from './add-gradients.js';
import { Ledger } from './ledger.js';
import { evaluationPass, TrainingPass } from './pass.js';
import { gradientBytes } from './sequence-cost.js';
import { type FrugalBlock, type VjpReads, vjpReadsOf, withoutOutput } from './vjp-reads.js';

/**
 * Applies several blocks to the same input and concatenates their outputs along the channels, as in spatial pyramid pooling.
 *
 * @throws LocalgradError `shape-mismatch` when their inputs differ, or the heights and widths of their outputs
 */
export function parallelConcatenation(name: string, branches: readonly Block[]): Block {
  return new ParallelConcatenation(name, branches);
}

class ParallelConcatenation implements FrugalBlock {
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[];
  readonly cost: BlockCost;
  readonly vjpReads: VjpReads;
  readonly #branches: readonly Block[];

  constructor(name: string, branches: readonly Block[]) {
    const first = at(branches, 0, 'branch');
    for (const branch of branches) {
      requireEqual(name, 'input', branch, first.inputShape, branch.inputShape);
      const [height, width] = first.outputShape;
      requireEqual(name, 'output', branch, [height, width, branch.outputShape[2]], branch.outputShape);
    }
    this.name = name;
    this.#branches = branches.map(withoutOutput);
    this.inputShape = first.inputShape;
    const channels = branches.reduce((sum, { outputShape }) => sum + outputShape[2], 0);
    this.outputShape = [first.outputShape[0], first.outputShape[1], channels];
    this.parameters = parametersOf(branches);
    this.statistics = statisticsOf(branches);
    this.vjpReads = { input: branches.some((branch) => vjpReadsOf(branch).input), output: false };
    this.cost = concatenatedCost(this.#branches, this.inputShape, this.outputShape);
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    const passes = this.#branches.map((branch) => branch.forward(x, mode));
    const output = concat(
      passes.map((pass) => pass.output),
      3,
    );
    const keeps = (index: number) => mode.training && vjpReadsOf(at(this.#branches, index, 'branch')).output;
    for (const [index, pass] of passes.entries()) if (!keeps(index)) pass.output.dispose();
    if (!mode.training) return evaluationPass(x, output);
    return new TrainingPass<readonly Pass[]>(this, x, output, passes, (kept) => {
      for (const [index, pass] of kept.entries()) {
        pass.release();
        if (keeps(index)) pass.output.dispose();
      }
    });
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    const passes = TrainingPass.open<readonly Pass[]>(this, pass, want.release);
    const [batch, height, width] = dy.shape;
    const parameters = new Map<Parameter, Tensor>();
    let input: Tensor4D | undefined;
    let start = 0;
    for (const [index, branch] of this.#branches.entries()) {
      const inner = at(passes, index, 'pass');
      const channels = branch.outputShape[2];
      const part: Tensor4D = slice(dy, [0, 0, 0, start], [batch, height, width, channels]);
      start += channels;
      if (index === this.#branches.length - 1) dy.dispose();
      const result = branch.vjp(inner, part, want);
      if (want.release && vjpReadsOf(branch).output) inner.output.dispose();
      addGradients(parameters, result.parameters);
      if (result.input === undefined) continue;
      if (input === undefined) input = result.input;
      else {
        input = currentKernels().accumulate(input, result.input);
        result.input.dispose();
      }
    }
    return input === undefined ? { parameters } : { input, parameters };
  }

  replicate(scope: ParameterScope): Block {
    const copies = this.#branches.map((branch, index) => branch.replicate(scope.scope(String(index))));
    return new ParallelConcatenation(this.name, copies);
  }
}

function requireEqual(name: string, side: string, branch: Block, expected: Shape3, found: Shape3): void {
  if (sameShape(expected, found)) return;
  throw new LocalgradError(
    'shape-mismatch',
    `parallelConcatenation '${name}': the ${side} of '${branch.name}' is ${formatShape(found)}; expected ${formatShape(expected)}, as of the first branch.`,
    { name, expected, found },
  );
}

function concatenatedCost(branches: readonly Block[], inputShape: Shape3, outputShape: Shape3): BlockCost {
  const kept = (block: Block, batchSize: number) =>
    costOf(block).residualBytes(batchSize) + (vjpReadsOf(block).output ? bytesOf(block.outputShape, batchSize) : 0);
  return {
    get multiplyAccumulates() {
      return branches.reduce((sum, branch) => sum + costOf(branch).multiplyAccumulates, 0);
    },
    residualBytes: (batchSize) => branches.reduce((sum, branch) => sum + kept(branch, batchSize), 0),
    forwardPeakBytes: (batchSize) => {
      const ledger = new Ledger();
      for (const branch of branches) {
        ledger.touch(costOf(branch).forwardPeakBytes(batchSize));
        ledger.take(costOf(branch).residualBytes(batchSize) + bytesOf(branch.outputShape, batchSize));
      }
      ledger.take(bytesOf(outputShape, batchSize));
      return ledger.peak;
    },
    ...vjpPeaks((batchSize, want, isShared) => {
      const ledger = new Ledger();
      for (const [index, branch] of branches.entries()) {
        const part = bytesOf(branch.outputShape, batchSize);
        ledger.take(part);
        // The cotangent of all branches is freed before the last one runs.
        if (index === branches.length - 1 && !isShared) ledger.give(bytesOf(outputShape, batchSize));
        ledger.touch(costOf(branch).vjpPeakBytes(batchSize, want));
        ledger.give(part);
        if (want.release) ledger.give(kept(branch, batchSize));
        if (want.parameters) ledger.take(gradientBytes(branch));
        if (want.input) ledger.take(bytesOf(inputShape, batchSize));
        if (want.input && index > 0) ledger.give(bytesOf(inputShape, batchSize));
      }
      return ledger.peak;
    }),
  };
}
