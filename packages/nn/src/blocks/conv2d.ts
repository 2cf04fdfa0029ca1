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
  type Shape3,
  type Want,
} from '@localgrad/core';
import { type ConvolutionGeometry, currentKernels } from '@localgrad/kernels';
import { add, reshape, type Tensor, type Tensor1D, type Tensor2D, type Tensor4D } from '@tensorflow/tfjs';
import { heNormalFanOut, uniformFanIn } from '../random/initializers.js';
import { batched, convolvedShape, isTrained } from './convolution-unit.js';
import { columnSums, columnSumsBytes } from './dense.js';
import { Ledger } from './ledger.js';
import { evaluationPass, TrainingPass } from './pass.js';
import type { FrugalBlock } from './vjp-reads.js';

export interface Conv2dOptions {
  readonly name: string;
  readonly scope: ParameterScope;
  readonly inputShape: Shape3;
  readonly channels: number;
  /** Default 3. */
  readonly kernelSize?: number;
  /** Default 1. */
  readonly stride?: number;
  /** Symmetric zero padding; default keeps the size at stride 1. */
  readonly padding?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Of the weight. Default: He normal by fan-out. */
  readonly initializer?: Initializer;
  /** Default: U(±1/√fanIn). */
  readonly biasInitializer?: Initializer;
  /** Name of the layer below the scope; default: parameters sit directly in the scope. */
  readonly layer?: string;
}

/** A convolution with `weight` [kh, kw, in, out] and `bias` [out]. */
export function conv2d(options: Conv2dOptions): Block {
  rejectUnknownKeys('conv2d', options, [
    ...['name', 'scope', 'inputShape', 'channels', 'kernelSize', 'stride', 'padding', 'bias'],
    ...['initializer', 'biasInitializer', 'layer'],
  ]);
  return new Conv2d(options);
}

class Conv2d implements FrugalBlock {
  readonly vjpReads = { input: true, output: false };
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[] = [];
  readonly cost: BlockCost;
  readonly #options: Conv2dOptions;
  readonly #geometry: ConvolutionGeometry;
  readonly #weight: Parameter;
  readonly #bias: Parameter | undefined;

  constructor(options: Conv2dOptions) {
    const { name, inputShape, channels, kernelSize = 3, stride = 1, bias = true, layer } = options;
    const { padding = (kernelSize - 1) / 2, initializer = heNormalFanOut } = options;
    const scope = layer === undefined ? options.scope : options.scope.scope(layer);
    this.name = name;
    this.#options = options;
    this.#geometry = { stride, padding };
    this.inputShape = inputShape;
    this.outputShape = convolvedShape(inputShape, channels, kernelSize, this.#geometry);
    this.#weight = scope.parameter('weight', [kernelSize, kernelSize, inputShape[2], channels], initializer);
    const fanIn = kernelSize * kernelSize * inputShape[2];
    const { biasInitializer = uniformFanIn(fanIn) } = options;
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
    let output = currentKernels().conv2d(x, this.#weight.value as Tensor4D, this.#geometry);
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
    const filter = this.#weight.value as Tensor4D;
    const parameters = new Map<Parameter, Tensor>();
    if (want.parameters && isTrained(this.#weight)) {
      parameters.set(this.#weight, kernels.conv2dFilterGradient(x, dy, filter.shape, this.#geometry));
    }
    if (want.parameters && this.#bias !== undefined && isTrained(this.#bias)) {
      const rows = reshape(dy, [-1, dy.shape[3]]) as Tensor2D;
      parameters.set(this.#bias, columnSums(rows));
      rows.dispose();
    }
    const input = want.input
      ? kernels.conv2dInputGradient(dy, filter, batched(this.inputShape, x.shape[0]), this.#geometry)
      : undefined;
    dy.dispose();
    return input === undefined ? { parameters } : { input, parameters };
  }

  replicate(scope: ParameterScope): Block {
    return new Conv2d({ ...this.#options, scope });
  }
}
