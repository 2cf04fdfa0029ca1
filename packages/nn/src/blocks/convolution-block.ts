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
  type Shape3,
  type Want,
} from '@localgrad/core';
import type { ConvolutionGeometry, Shape4 } from '@localgrad/kernels';
import { add, type Rank, reshape, type Tensor, type Tensor1D, type Tensor4D } from '@tensorflow/tfjs';
import { vjpPeaksOfReader } from '../cost/vjp-peaks.js';
import { batched, convolvedShape, isTrained } from './convolution-unit.js';
import {
  type ConvolutionWindow,
  type ConvolutionWindowOptions,
  gatherTaps,
  isDilated,
  spreadBytes,
  spreadFilter,
  spreadShape,
  spreadSize,
} from './convolution-window.js';
import { columnSums, columnSumsBytes } from './dense.js';
import { Ledger } from './ledger.js';
import { filterOf } from './parameter-values.js';
import { evaluationPass, TrainingPass } from './pass.js';
import type { FrugalBlock } from './vjp-reads.js';

/** What all convolutions take. */
export interface ConvolutionOptions extends ConvolutionWindowOptions {
  /** Name of the block, unique in its network. */
  readonly name: string;
  /** Scope in which the parameters are created. */
  readonly scope: ParameterScope;
  /** Default true. */
  readonly bias?: boolean;
  /** Of the weight. */
  readonly initializer?: Initializer;
  /** Default: U(±1/√fanIn). */
  readonly biasInitializer?: Initializer;
  /** Name of the layer below the scope. By default, the parameters sit directly in the scope. */
  readonly layer?: string;
}

export const convolutionOptionNames = [
  'name',
  'scope',
  'inputShape',
  'kernelSize',
  'stride',
  'padding',
  'dilation',
  'bias',
  'initializer',
  'biasInitializer',
  'layer',
] as const;

/** What distinguishes one kind of convolution from another. Filters have zeros between their taps if they are dilated. */
export interface ConvolutionKind {
  readonly window: ConvolutionWindow;
  /** Output channels. */
  readonly channels: number;
  readonly weightShape: Shape4;
  readonly initializer: Initializer;
  readonly biasInitializer: Initializer;
  forward(x: Tensor4D, weight: Tensor4D, geometry: ConvolutionGeometry): Tensor4D;
  weightGradient(x: Tensor4D, dy: Tensor4D, weightShape: Shape4, geometry: ConvolutionGeometry): Tensor4D;
  inputGradient(dy: Tensor4D, weight: Tensor4D, shape: Shape4, geometry: ConvolutionGeometry): Tensor4D;
}

/** A convolution with `weight` and `bias` [channels]. */
export class ConvolutionBlock implements FrugalBlock {
  readonly vjpReads = { input: true, output: false };
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[] = [];
  readonly cost: BlockCost;
  readonly #options: ConvolutionOptions;
  readonly #kind: ConvolutionKind;
  readonly #geometry: ConvolutionGeometry;
  readonly #weight: Parameter;
  readonly #bias: Parameter | undefined;

  constructor(options: ConvolutionOptions, kind: ConvolutionKind) {
    const { name, inputShape, bias = true, layer } = options;
    const { stride, padding, reach } = kind.window;
    const scope = layer === undefined ? options.scope : options.scope.scope(layer);
    this.name = name;
    this.#options = options;
    this.#kind = kind;
    this.#geometry = { stride, padding };
    this.inputShape = inputShape;
    this.outputShape = convolvedShape(inputShape, kind.channels, reach, this.#geometry);
    this.#weight = scope.parameter('weight', kind.weightShape, kind.initializer);
    this.#bias = bias ? scope.parameter('bias', [kind.channels], kind.biasInitializer) : undefined;
    this.parameters = this.#bias === undefined ? [this.#weight] : [this.#weight, this.#bias];
    this.cost = {
      multiplyAccumulates: this.outputShape[0] * this.outputShape[1] * spreadSize(kind.weightShape, kind.window),
      residualBytes: () => 0,
      forwardPeakBytes: (batchSize) => this.#forwardPeakBytes(batchSize),
      ...vjpPeaksOfReader((batchSize, want) => this.#vjpPeakBytes(batchSize, want)),
    };
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    let output = this.#withFilter((filter) => this.#kind.forward(x, filter, this.#geometry));
    if (this.#bias !== undefined) {
      const biased = add<Tensor4D>(output, this.#bias.value);
      output.dispose();
      output = biased;
    }
    return mode.training ? new TrainingPass(this, x, output, null, () => {}) : evaluationPass(x, output);
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    TrainingPass.open<null>(this, pass, want.release);
    const x = pass.input;
    const parameters = new Map<Parameter, Tensor>();
    if (want.parameters && isTrained(this.#weight)) {
      parameters.set(this.#weight, this.#weightGradient(x, dy));
    }
    if (want.parameters && this.#bias !== undefined && isTrained(this.#bias)) {
      parameters.set(this.#bias, channelSums(dy));
    }
    const shape = batched(this.inputShape, x.shape[0]);
    const input = want.input
      ? this.#withFilter((filter) => this.#kind.inputGradient(dy, filter, shape, this.#geometry))
      : undefined;
    dy.dispose();
    return input === undefined ? { parameters } : { input, parameters };
  }

  replicate(scope: ParameterScope): Block {
    return new ConvolutionBlock({ ...this.#options, scope }, this.#kind);
  }

  /** Runs a kernel with the filter as the kernels expect it. */
  #withFilter(run: (filter: Tensor4D) => Tensor4D): Tensor4D {
    const { window } = this.#kind;
    if (!isDilated(window)) return run(filterOf(this.#weight));
    const filter = spreadFilter(filterOf(this.#weight), window);
    const result = run(filter);
    filter.dispose();
    return result;
  }

  #weightGradient(x: Tensor4D, dy: Tensor4D): Tensor4D {
    const { window, weightShape } = this.#kind;
    const gradient = this.#kind.weightGradient(x, dy, spreadShape(weightShape, window), this.#geometry);
    return isDilated(window) ? gatherTaps(gradient, window) : gradient;
  }

  #forwardPeakBytes(batchSize: number): number {
    const output = bytesOf(this.outputShape, batchSize);
    const ledger = new Ledger();
    this.#countFilter(ledger, output);
    ledger.take(output);
    if (this.#bias !== undefined) ledger.touch(output);
    return ledger.peak;
  }

  /** Bytes of `#withFilter`, whose result takes `result` bytes, which the caller counts afterwards. */
  #countFilter(ledger: Ledger, result: number): void {
    const { window, weightShape } = this.#kind;
    if (!isDilated(window)) return;
    const spread = spreadBytes(weightShape, window);
    ledger.touch(spread.peak);
    ledger.touch(spread.result + result);
  }

  #vjpPeakBytes(batchSize: number, want: Want): number {
    const ledger = new Ledger();
    if (want.parameters && isTrained(this.#weight)) {
      const { window, weightShape } = this.#kind;
      if (isDilated(window)) ledger.touch(spreadBytes(weightShape, window).result + 4 * this.#weight.size);
      ledger.take(4 * this.#weight.size);
    }
    if (want.parameters && this.#bias !== undefined && isTrained(this.#bias)) {
      const pixels = batchSize * this.outputShape[0] * this.outputShape[1];
      ledger.take(columnSumsBytes(pixels, this.#kind.channels));
      ledger.give(4 * pixels);
    }
    if (want.input) {
      const input = bytesOf(this.inputShape, batchSize);
      this.#countFilter(ledger, input);
      ledger.take(input);
    }
    return ledger.peak;
  }
}

function channelSums(dy: Tensor4D): Tensor1D {
  const rows = reshape<Rank.R2>(dy, [-1, dy.shape[3]]);
  const sums = columnSums(rows);
  rows.dispose();
  return sums;
}
