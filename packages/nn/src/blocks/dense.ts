import {
  type Block,
  type BlockCost,
  bytesOf,
  type Cotangents,
  type Initializer,
  type Mode,
  type Parameter,
  type ParameterScope,
  type Pass,
  rejectUnknownKeys,
  requireOption,
  type Shape3,
  type Want,
} from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import {
  add,
  ones,
  type Rank,
  reshape,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
} from '@tensorflow/tfjs';
import { vjpPeaksOfReader } from '../cost/vjp-peaks.js';
import { uniformFanIn } from '../random/initializers.js';
import { batched, isTrained } from './convolution-unit.js';
import { Ledger } from './ledger.js';
import { matrixOf, vectorOf } from './parameter-values.js';
import { evaluationPass, TrainingPass } from './pass.js';
import type { FrugalBlock } from './vjp-reads.js';

/** Options of `dense` and `positionwiseDense`. */
export interface DenseOptions {
  /** Name of the block, unique in its network. */
  readonly name: string;
  /** Scope in which the parameters are created. */
  readonly scope: ParameterScope;
  /** 1×1×c for `dense`. */
  readonly inputShape: Shape3;
  /** Number of outputs. */
  readonly units: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Of the weight. Default: U(±1/√fanIn), PyTorch's. */
  readonly initializer?: Initializer;
  /** Default: U(±1/√fanIn). */
  readonly biasInitializer?: Initializer;
  /** Name of the layer below the scope. By default, the parameters sit directly in the scope. */
  readonly layer?: string;
}

const denseKeys = ['name', 'scope', 'inputShape', 'units', 'bias', 'initializer', 'biasInitializer', 'layer'];

/** A fully connected layer on [batch, 1, 1, c]: `weight` [in, out], `bias` [out]. */
export function dense(options: DenseOptions): Block {
  rejectUnknownKeys('dense', options, denseKeys);
  const { inputShape, units } = options;
  requireOption(
    inputShape[0] === 1 && inputShape[1] === 1,
    'dense',
    'inputShape',
    inputShape,
    '1×1×c; flatten or pool first',
  );
  requireOption(Number.isInteger(units) && units > 0, 'dense', 'units', units, 'positive integers');
  return new Dense(options);
}

/** A fully connected layer on every position (pixel or token) by itself: `dense` for maps of any height and width. */
export function positionwiseDense(options: DenseOptions): Block {
  const { units } = options;
  rejectUnknownKeys('positionwiseDense', options, denseKeys);
  requireOption(Number.isInteger(units) && units > 0, 'positionwiseDense', 'units', units, 'positive integers');
  return new Dense(options);
}

class Dense implements FrugalBlock {
  readonly vjpReads = { input: true, output: false };
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[] = [];
  readonly cost: BlockCost;
  readonly #options: DenseOptions;
  readonly #weight: Parameter;
  readonly #bias: Parameter | undefined;

  constructor(options: DenseOptions) {
    const { name, inputShape, units, bias = true, layer } = options;
    const scope = layer === undefined ? options.scope : options.scope.scope(layer);
    const fanIn = inputShape[2];
    const { initializer = uniformFanIn(fanIn), biasInitializer = uniformFanIn(fanIn) } = options;
    this.name = name;
    this.#options = options;
    this.inputShape = inputShape;
    const [height, width] = inputShape;
    const positions = height * width;
    this.outputShape = [height, width, units];
    this.#weight = scope.parameter('weight', [fanIn, units], initializer);
    this.#bias = bias ? scope.parameter('bias', [units], biasInitializer) : undefined;
    this.parameters = this.#bias === undefined ? [this.#weight] : [this.#weight, this.#bias];
    const biasTrained = this.#bias !== undefined && isTrained(this.#bias);
    this.cost = {
      multiplyAccumulates: positions * fanIn * units,
      residualBytes: () => 0,
      forwardPeakBytes: (batchSize) => (bias ? 2 : 1) * bytesOf(this.outputShape, batchSize),
      ...vjpPeaksOfReader((batchSize, want) => {
        const ledger = new Ledger();
        if (want.parameters && isTrained(this.#weight)) ledger.take(4 * fanIn * units);
        if (want.parameters && biasTrained) ledger.take(columnSumsBytes(batchSize * positions, units));
        if (want.parameters && biasTrained) ledger.give(4 * batchSize * positions);
        if (want.input) ledger.take(bytesOf(inputShape, batchSize));
        return ledger.peak;
      }),
    };
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    const rows = positionsOf(x);
    const product = currentKernels().matMul(rows, matrixOf(this.#weight), false, false);
    rows.dispose();
    let result = product;
    if (this.#bias !== undefined) {
      result = add<Tensor2D>(product, vectorOf(this.#bias));
      product.dispose();
    }
    const output: Tensor4D = reshape(result, batched(this.outputShape, x.shape[0]));
    result.dispose();
    return mode.training ? new TrainingPass(this, x, output, null, () => {}) : evaluationPass(x, output);
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    TrainingPass.open<null>(this, pass, want.release);
    const gradients = new Map<Parameter, Tensor>();
    const kernels = currentKernels();
    const cotangent = positionsOf(dy);
    dy.dispose();
    if (want.parameters && isTrained(this.#weight)) {
      const rows = positionsOf(pass.input);
      gradients.set(this.#weight, kernels.matMul(rows, cotangent, true, false));
      rows.dispose();
    }
    if (want.parameters && this.#bias !== undefined && isTrained(this.#bias)) {
      gradients.set(this.#bias, columnSums(cotangent));
    }
    if (!want.input) {
      cotangent.dispose();
      return { parameters: gradients };
    }
    const product = kernels.matMul(cotangent, matrixOf(this.#weight), false, true);
    cotangent.dispose();
    const input: Tensor4D = reshape(product, pass.input.shape);
    product.dispose();
    return { input, parameters: gradients };
  }

  replicate(scope: ParameterScope): Block {
    return new Dense({ ...this.#options, scope });
  }
}

/** [n, 1, 1, c] → [n, c]; another handle on the same data. */
export function asRows(x: Tensor4D): Tensor2D {
  return reshape<Rank.R2>(x, [x.shape[0], x.shape[3]]);
}

/** [n, h, w, c] → [n·h·w, c]; another handle on the same data. */
function positionsOf(x: Tensor4D): Tensor2D {
  return reshape(x, [-1, x.shape[3]]);
}

/** [n, c] → [n, 1, 1, c]; another handle on the same data. */
export function asMaps(x: Tensor2D): Tensor4D {
  return reshape<Rank.R4>(x, [x.shape[0], 1, 1, x.shape[1]]);
}

/** Sums over rows as a matrix product: `sum` over leading axes makes a transposed copy first. Borrows its argument. */
export function columnSums(rows: Tensor2D): Tensor1D {
  const weights = ones<Rank.R2>([1, rows.shape[0]]);
  const sums = currentKernels().matMul(weights, rows, false, false);
  weights.dispose();
  const result = reshape<Rank.R1>(sums, [rows.shape[1]]);
  sums.dispose();
  return result;
}

/** Bytes while `columnSums` runs, its result included. */
export function columnSumsBytes(rows: number, columns: number): number {
  return 4 * (rows + columns);
}
