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
import { batched, convolvedShape, isTrained } from './convolution-unit.js';
import { columnSums, columnSumsBytes } from './dense.js';
import { Ledger } from './ledger.js';
import { filterOf } from './parameter-values.js';
import { evaluationPass, TrainingPass } from './pass.js';
import type { FrugalBlock } from './vjp-reads.js';

/** What all convolutions take. */
export interface ConvolutionOptions {
  /** Name of the block, unique in its network. */
  readonly name: string;
  /** Scope in which the parameters are created. */
  readonly scope: ParameterScope;
  /** Shape [height, width, channels] of one sample's input. */
  readonly inputShape: Shape3;
  /** Default 3. */
  readonly kernelSize?: number;
  /** Default 1. */
  readonly stride?: number;
  /** Symmetric zero padding; by default, the size stays the same at stride 1. */
  readonly padding?: number;
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
  'bias',
  'initializer',
  'biasInitializer',
  'layer',
] as const;

/** What distinguishes one kind of convolution from another. */
export interface ConvolutionKind {
  /** Output channels. */
  readonly channels: number;
  readonly weightShape: Shape4;
  readonly initializer: Initializer;
  readonly biasInitializer: Initializer;
  forward(x: Tensor4D, weight: Tensor4D, geometry: ConvolutionGeometry): Tensor4D;
  weightGradient(x: Tensor4D, dy: Tensor4D, geometry: ConvolutionGeometry): Tensor;
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
    const {
      name,
      inputShape,
      kernelSize = 3,
      stride = 1,
      padding = (kernelSize - 1) / 2,
      bias = true,
      layer,
    } = options;
    const scope = layer === undefined ? options.scope : options.scope.scope(layer);
    this.name = name;
    this.#options = options;
    this.#kind = kind;
    this.#geometry = { stride, padding };
    this.inputShape = inputShape;
    this.outputShape = convolvedShape(inputShape, kind.channels, kernelSize, this.#geometry);
    this.#weight = scope.parameter('weight', kind.weightShape, kind.initializer);
    this.#bias = bias ? scope.parameter('bias', [kind.channels], kind.biasInitializer) : undefined;
    this.parameters = this.#bias === undefined ? [this.#weight] : [this.#weight, this.#bias];
    this.cost = {
      multiplyAccumulates: this.outputShape[0] * this.outputShape[1] * this.#weight.size,
      residualBytes: () => 0,
      forwardPeakBytes: (batchSize) => (bias ? 2 : 1) * bytesOf(this.outputShape, batchSize),
      vjpPeakBytes: (batchSize, want) => this.#vjpPeakBytes(batchSize, want),
    };
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    let output = this.#kind.forward(x, this.#filter, this.#geometry);
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
      parameters.set(this.#weight, this.#kind.weightGradient(x, dy, this.#geometry));
    }
    if (want.parameters && this.#bias !== undefined && isTrained(this.#bias)) {
      parameters.set(this.#bias, channelSums(dy));
    }
    const input = want.input
      ? this.#kind.inputGradient(dy, this.#filter, batched(this.inputShape, x.shape[0]), this.#geometry)
      : undefined;
    dy.dispose();
    return input === undefined ? { parameters } : { input, parameters };
  }

  replicate(scope: ParameterScope): Block {
    return new ConvolutionBlock({ ...this.#options, scope }, this.#kind);
  }

  get #filter(): Tensor4D {
    return filterOf(this.#weight);
  }

  #vjpPeakBytes(batchSize: number, want: Want): number {
    const ledger = new Ledger();
    if (want.parameters && isTrained(this.#weight)) ledger.take(4 * this.#weight.size);
    if (want.parameters && this.#bias !== undefined && isTrained(this.#bias)) {
      const pixels = batchSize * this.outputShape[0] * this.outputShape[1];
      ledger.take(columnSumsBytes(pixels, this.#kind.channels));
      ledger.give(4 * pixels);
    }
    if (want.input) ledger.take(bytesOf(this.inputShape, batchSize));
    return ledger.peak;
  }
}

function channelSums(dy: Tensor4D): Tensor1D {
  const rows = reshape<Rank.R2>(dy, [-1, dy.shape[3]]);
  const sums = columnSums(rows);
  rows.dispose();
  return sums;
}
