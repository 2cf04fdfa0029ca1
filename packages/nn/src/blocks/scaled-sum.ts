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
import { add, dispose, mul, reshape, sub, sum, type Tensor, type Tensor4D, tidy } from '@tensorflow/tfjs';
import { costOf } from '../cost/cost-of.js';
import { vjpPeaks } from '../cost/vjp-peaks.js';
import { ones } from '../random/initializers.js';
import { addGradients, parametersOf, statisticsOf } from './add-gradients.js';
import { isTrained } from './convolution-unit.js';
import { Ledger } from './ledger.js';
import { evaluationPass, TrainingPass } from './pass.js';
import { gradientBytes } from './sequence-cost.js';
import { type FrugalBlock, type VjpReads, vjpReadsOf, withoutOutput } from './vjp-reads.js';

/**
 * s · first(x) + (2 − s) · second(x) with a trained number s, initially 1, so that it starts as the plain sum.
 *
 * @param scope scope of s, named `weight`
 * @throws LocalgradError `shape-mismatch` when their inputs or outputs differ
 */
export function scaledSum(name: string, first: Block, second: Block, scope: ParameterScope): Block {
  for (const side of ['inputShape', 'outputShape'] as const) {
    if (sameShape(first[side], second[side])) continue;
    throw new LocalgradError(
      'shape-mismatch',
      `scaledSum '${name}': ${side} of '${first.name}' is ${formatShape(first[side])}, of '${second.name}' ${formatShape(second[side])}; they must be equal.`,
      { name, first: first[side], second: second[side] },
    );
  }
  return new ScaledSum(name, first, second, scope.parameter('weight', [1], ones));
}

interface Residuals {
  readonly first: Pass;
  readonly second: Pass;
  /** first(x) − second(x): the derivative of the output with respect to s. */
  readonly difference: Tensor4D;
}

class ScaledSum implements FrugalBlock {
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[];
  readonly cost: BlockCost;
  readonly vjpReads: VjpReads;
  readonly #first: Block;
  readonly #second: Block;
  readonly #scale: Parameter;

  constructor(name: string, first: Block, second: Block, scale: Parameter) {
    this.name = name;
    this.#first = withoutOutput(first);
    this.#second = withoutOutput(second);
    this.#scale = scale;
    this.inputShape = first.inputShape;
    this.outputShape = first.outputShape;
    this.parameters = parametersOf([first, second, { parameters: [scale] }]);
    this.statistics = statisticsOf([first, second]);
    this.vjpReads = { input: vjpReadsOf(first).input || vjpReadsOf(second).input, output: false };
    this.cost = scaledCost(this.#first, this.#second, scale);
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    const first = this.#first.forward(x, mode);
    const second = this.#second.forward(x, mode);
    const difference = sub<Tensor4D>(first.output, second.output);
    if (!(mode.training && vjpReadsOf(this.#first).output)) first.output.dispose();
    const scaled = mul<Tensor4D>(difference, this.#scale.value);
    if (!mode.training) difference.dispose();
    const doubled = mul<Tensor4D>(second.output, 2);
    if (!(mode.training && vjpReadsOf(this.#second).output)) second.output.dispose();
    const output = add<Tensor4D>(scaled, doubled);
    dispose([scaled, doubled]);
    if (!mode.training) return evaluationPass(x, output);
    return new TrainingPass<Residuals>(this, x, output, { first, second, difference }, (kept) => {
      this.#free(this.#first, kept.first);
      this.#free(this.#second, kept.second);
      kept.difference.dispose();
    });
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    const { first, second, difference } = TrainingPass.open<Residuals>(this, pass, want.release);
    const parameters = new Map<Parameter, Tensor>();
    if (want.parameters && isTrained(this.#scale)) {
      const gradient = tidy(() => reshape(sum(mul(dy, difference)), [1]));
      parameters.set(this.#scale, gradient);
    }
    if (want.release) difference.dispose();
    const left = this.#first.vjp(first, mul(dy, this.#scale.value), want);
    if (want.release) this.#free(this.#first, first);
    const forSecond = tidy(() => mul<Tensor4D>(dy, sub(2, this.#scale.value)));
    dy.dispose();
    const right = this.#second.vjp(second, forSecond, want);
    if (want.release) this.#free(this.#second, second);
    addGradients(parameters, left.parameters);
    addGradients(parameters, right.parameters);
    if (left.input === undefined || right.input === undefined) return { parameters };
    const input = currentKernels().accumulate(left.input, right.input);
    right.input.dispose();
    return { input, parameters };
  }

  replicate(scope: ParameterScope): Block {
    const copies = [this.#first.replicate(scope.scope('0')), this.#second.replicate(scope.scope('1'))] as const;
    return scaledSum(this.name, ...copies, scope.scope('scale'));
  }

  /** Frees a pass, and its output if it was kept for the backward pass. */
  #free(block: Block, pass: Pass): void {
    pass.release();
    if (vjpReadsOf(block).output) pass.output.dispose();
  }
}

function scaledCost(first: Block, second: Block, scale: Parameter): BlockCost {
  const outputBytes = (batchSize: number) => bytesOf(first.outputShape, batchSize);
  const kept = (block: Block, batchSize: number) =>
    costOf(block).residualBytes(batchSize) + (vjpReadsOf(block).output ? outputBytes(batchSize) : 0);
  return {
    get multiplyAccumulates() {
      return costOf(first).multiplyAccumulates + costOf(second).multiplyAccumulates;
    },
    residualBytes: (batchSize) => kept(first, batchSize) + kept(second, batchSize) + outputBytes(batchSize),
    forwardPeakBytes: (batchSize) => {
      const map = outputBytes(batchSize);
      const ledger = new Ledger();
      for (const block of [first, second]) {
        ledger.touch(costOf(block).forwardPeakBytes(batchSize));
        ledger.take(costOf(block).residualBytes(batchSize) + map);
      }
      // The difference; then it and the second output are multiplied, while outputs that are not kept are freed.
      ledger.take(map);
      if (!vjpReadsOf(first).output) ledger.give(map);
      ledger.take(2 * map);
      if (!vjpReadsOf(second).output) ledger.give(map);
      ledger.take(map);
      return ledger.peak;
    },
    ...vjpPeaks((batchSize, want, isShared) => {
      const map = outputBytes(batchSize);
      const ledger = new Ledger();
      if (want.parameters && isTrained(scale)) {
        ledger.touch(map);
        ledger.take(4);
      }
      if (want.release) ledger.give(map);
      [first, second].forEach((block, index) => {
        ledger.take(map);
        // dy waits for the second block.
        if (index === 1 && !isShared) ledger.give(map);
        ledger.touch(costOf(block).vjpPeakBytes(batchSize, want));
        ledger.give(map);
        if (want.release) ledger.give(kept(block, batchSize));
        if (want.parameters) ledger.take(gradientBytes(block));
        if (want.input) ledger.take(bytesOf(block.inputShape, batchSize));
      });
      return ledger.peak;
    }),
  };
}
