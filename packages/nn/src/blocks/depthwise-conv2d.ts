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
import { type ConvolutionGeometry, currentKernels, type Shape4 } from '@localgrad/kernels';
import { add, reshape, type Tensor, type Tensor1D, type Tensor2D, type Tensor4D } from '@tensorflow/tfjs';
import { uniformFanIn } from '../random/initializers.js';
import { batched, convolvedShape, isTrained } from './convolution-unit.js';
import { columnSums, columnSumsBytes } from './dense.js';
import { Ledger } from './ledger.js';
import { evaluationPass, TrainingPass } from './pass.js';
import type { FrugalBlock } from './vjp-reads.js';

export interface DepthwiseConv2dOptions {
  readonly name: string;
  readonly scope: ParameterScope;
  readonly inputShape: Shape3;
  /** Output channels of each input channel. Default 1. */
  readonly multiplier?: number;
  /** Default 3. */
  readonly kernelSize?: number;
  /** Default 1. */
  readonly stride?: number;
  /** Symmetric zero padding; default keeps the size at stride 1. */
  readonly padding?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Of the weight. Default: U(±1/√fanIn) with a fan-in of kernelSize², as PyTorch's Conv2d. */
  readonly initializer?: Initializer;
  /** Default: the same U(±1/√fanIn). */
  readonly biasInitializer?: Initializer;
  /** Name of the layer below the scope; default: parameters sit directly in the scope. */
  readonly layer?: string;
}

/**
 * A convolution with a filter of its own for each channel: PyTorch's Conv2d with as many groups as input channels. `weight`
 * is [kh, kw, 1, channels·multiplier], which is PyTorch's [channels·multiplier, 1, kh, kw] in this library's layout; `bias`
 * is [channels·multiplier].
 */
export function depthwiseConv2d(options: DepthwiseConv2dOptions): Block {
  rejectUnknownKeys('depthwiseConv2d', options, [
    ...['name', 'scope', 'inputShape', 'multiplier', 'kernelSize', 'stride', 'padding', 'bias'],
    ...['initializer', 'biasInitializer', 'layer'],
  ]);
  const { multiplier = 1 } = options;
  const isPositive = Number.isInteger(multiplier) && multiplier > 0;
  requireOption(isPositive, 'depthwiseConv2d', 'multiplier', multiplier, 'positive integers');
  return new DepthwiseConv2d(options);
}

class DepthwiseConv2d implements FrugalBlock {
  readonly vjpReads = { input: true, output: false };
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[] = [];
  readonly cost: BlockCost;
  readonly #options: DepthwiseConv2dOptions;
  readonly #geometry: ConvolutionGeometry;
  readonly #filterShape: Shape4;
  readonly #weight: Parameter;
  readonly #bias: Parameter | undefined;

  constructor(options: DepthwiseConv2dOptions) {
    const { name, inputShape, multiplier = 1, kernelSize = 3, stride = 1, bias = true, layer } = options;
    const { padding = (kernelSize - 1) / 2 } = options;
    const fallback = uniformFanIn(kernelSize * kernelSize);
    const { initializer = fallback, biasInitializer = fallback } = options;
    const scope = layer === undefined ? options.scope : options.scope.scope(layer);
    const channels = inputShape[2] * multiplier;
    this.name = name;
    this.#options = options;
    this.#geometry = { stride, padding };
    this.#filterShape = [kernelSize, kernelSize, inputShape[2], multiplier];
    this.inputShape = inputShape;
    this.outputShape = convolvedShape(inputShape, channels, kernelSize, this.#geometry);
    this.#weight = scope.parameter('weight', [kernelSize, kernelSize, 1, channels], initializer);
    this.#bias = bias ? scope.parameter('bias', [channels], biasInitializer) : undefined;
    this.parameters = this.#bias === undefined ? [this.#weight] : [this.#weight, this.#bias];
    this.cost = {
      multiplyAccumulates: this.outputShape[0] * this.outputShape[1] * this.#weight.size,
      residualBytes: () => 0,
      forwardPeakBytes: (batchSize) => (bias ? 2 : 1) * bytesOf(this.outputShape, batchSize),
      vjpPeakBytes: (batchSize, want) => {
        const ledger = new Ledger();
        if (want.parameters && isTrained(this.#weight)) ledger.take(4 * this.#weight.size);
        if (want.parameters && this.#bias !== undefined && isTrained(this.#bias)) {
          const pixels = batchSize * this.outputShape[0] * this.outputShape[1];
          ledger.take(columnSumsBytes(pixels, channels));
          ledger.give(4 * pixels);
        }
        if (want.input) ledger.take(bytesOf(inputShape, batchSize));
        return ledger.peak;
      },
    };
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    const filter = this.#filter();
    let output = currentKernels().depthwiseConv2d(x, filter, this.#geometry);
    filter.dispose();
    if (this.#bias !== undefined) {
      const biased = add<Tensor4D>(output, this.#bias.value as Tensor1D);
      output.dispose();
      output = biased;
    }
    return mode.training ? new TrainingPass(this, x, output, null, () => {}) : evaluationPass(x, output);
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    TrainingPass.open<null>(this, pass, want.release);
    const kernels = currentKernels();
    const x = pass.input;
    const parameters = new Map<Parameter, Tensor>();
    if (want.parameters && isTrained(this.#weight)) {
      const gradient = kernels.depthwiseConv2dFilterGradient(x, dy, this.#filterShape, this.#geometry);
      parameters.set(this.#weight, reshape(gradient, [...this.#weight.shape]));
      gradient.dispose();
    }
    if (want.parameters && this.#bias !== undefined && isTrained(this.#bias)) {
      const rows: Tensor2D = reshape(dy, [-1, dy.shape[3]]);
      parameters.set(this.#bias, columnSums(rows));
      rows.dispose();
    }
    let input: Tensor4D | undefined;
    if (want.input) {
      const filter = this.#filter();
      const shape = batched(this.inputShape, x.shape[0]);
      input = kernels.depthwiseConv2dInputGradient(dy, filter, shape, this.#geometry);
      filter.dispose();
    }
    dy.dispose();
    return input === undefined ? { parameters } : { input, parameters };
  }

  replicate(scope: ParameterScope): Block {
    return new DepthwiseConv2d({ ...this.#options, scope });
  }

  /** The weight as the kernels take it; another handle on the same data. */
  #filter(): Tensor4D {
    return reshape(this.#weight.value, [...this.#filterShape]);
  }
}
