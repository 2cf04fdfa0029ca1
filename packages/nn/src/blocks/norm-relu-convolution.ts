import {
  type Block,
  type BlockCost,
  bytesOf,
  type Cotangents,
  type Mode,
  type Parameter,
  type ParameterScope,
  type Pass,
  rejectUnknownKeys,
  requireOption,
  type Shape3,
  sameShape,
  type Want,
} from '@localgrad/core';
import { type BatchStatistics, type ConvolutionGeometry, currentKernels, type Shape4 } from '@localgrad/kernels';
import type { Tensor, Tensor4D } from '@tensorflow/tfjs';
import { vjpPeaks } from '../cost/vjp-peaks.js';
import { heNormalFanOut } from '../random/initializers.js';
import { type BatchNormParameters, createBatchNorm, normalization, vectorPairBytes } from './batch-norm-parameters.js';
import { batched, convolvedShape, isTrained } from './convolution-unit.js';
import { Ledger } from './ledger.js';
import { disposeStatistics, keepNormGradients, takeBatchStatistics } from './norm-steps.js';
import { filterOf } from './parameter-values.js';
import { evaluationPass, TrainingPass } from './pass.js';
import { savesMap } from './saved-maps.js';
import type { FrugalBlock } from './vjp-reads.js';

/** Options of `normReluConvolution`. */
export interface NormReluConvolutionOptions {
  /** Name of the block, unique in its network. */
  readonly name: string;
  /** Scope in which the parameters are created. */
  readonly scope: ParameterScope;
  /** Shape [height, width, channels] of one sample's input. */
  readonly inputShape: Shape3;
  /** Number of output channels. */
  readonly channels: number;
  /** Default 3. */
  readonly kernelSize?: number;
  /** Default 1. */
  readonly stride?: number;
  /** Symmetric zero padding; the default preserves the size at stride 1. */
  readonly padding?: number;
  /** Names of the layers below the scope. Default `bn` and `conv`. */
  readonly names?: readonly [batchNorm: string, convolution: string];
}

/**
 * Batch norm, ReLU and a convolution without bias: the unit of pre-activation networks (DenseNet, Wide ResNet). Stores
 * only the batch statistics; the backward pass recomputes the activation.
 */
export function normReluConvolution(options: NormReluConvolutionOptions): Block {
  const { channels, kernelSize = 3, stride = 1, padding = (kernelSize - 1) / 2 } = options;
  rejectUnknownKeys('normReluConvolution', options, [
    'name',
    'scope',
    'inputShape',
    'channels',
    'kernelSize',
    'stride',
    'padding',
    'names',
  ]);
  const isCount = (value: number) => Number.isInteger(value) && value > 0;
  requireOption(isCount(channels), 'normReluConvolution', 'channels', channels, 'positive integers');
  requireOption(isCount(stride), 'normReluConvolution', 'stride', stride, 'positive integers');
  requireOption(Number.isInteger(padding) && padding >= 0, 'normReluConvolution', 'padding', padding, 'integers ≥ 0');
  return new NormReluConvolution(options);
}

class NormReluConvolution implements FrugalBlock {
  readonly vjpReads = { input: true, output: false };
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[];
  readonly cost: BlockCost;
  readonly #options: NormReluConvolutionOptions;
  readonly #geometry: ConvolutionGeometry;
  readonly #filterShape: Shape4;
  readonly #norm: BatchNormParameters;
  readonly #weight: Parameter;

  constructor(options: NormReluConvolutionOptions) {
    const { name, scope, inputShape, channels, kernelSize = 3, stride = 1, names = ['bn', 'conv'] } = options;
    const { padding = (kernelSize - 1) / 2 } = options;
    this.name = name;
    this.#options = options;
    this.#geometry = { stride, padding };
    this.#filterShape = [kernelSize, kernelSize, inputShape[2], channels];
    this.inputShape = inputShape;
    this.outputShape = convolvedShape(inputShape, channels, kernelSize, this.#geometry);
    this.#norm = createBatchNorm(scope.scope(names[0]), inputShape[2]);
    this.#weight = scope.scope(names[1]).parameter('weight', this.#filterShape, heNormalFanOut);
    this.parameters = [this.#norm.scale, this.#norm.shift, this.#weight];
    this.statistics = [this.#norm.runningMean, this.#norm.runningVariance];
    this.cost = this.#cost();
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    const kernels = currentKernels();
    const statistics = mode.training ? takeBatchStatistics(this.#norm, x, mode) : undefined;
    const activation = this.#activation(x, statistics);
    const output = kernels.conv2d(activation, filterOf(this.#weight), this.#geometry);
    activation.dispose();
    if (statistics === undefined) return evaluationPass(x, output);
    return new TrainingPass<BatchStatistics>(this, x, output, statistics, disposeStatistics);
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    const statistics = TrainingPass.open<BatchStatistics>(this, pass, want.release);
    const parameters = new Map<Parameter, Tensor>();
    const input = this.#pullBack(pass.input, dy, statistics, want, parameters);
    if (want.release) disposeStatistics(statistics);
    return input === undefined ? { parameters } : { input, parameters };
  }

  replicate(scope: ParameterScope): Block {
    return new NormReluConvolution({ ...this.#options, scope });
  }

  /** Consumes dy; adds the gradients to `gradients`, and returns the input's cotangent if requested. */
  #pullBack(
    x: Tensor4D,
    dy: Tensor4D,
    statistics: BatchStatistics,
    want: Want,
    gradients: Map<Parameter, Tensor>,
  ): Tensor4D | undefined {
    const kernels = currentKernels();
    if (want.parameters && isTrained(this.#weight)) {
      gradients.set(this.#weight, this.#filterGradient(x, dy, statistics));
    }
    if (!want.input && !this.#wantsNorm(want)) {
      dy.dispose();
      return undefined;
    }
    const { dx, dScale, dShift } = kernels.batchNormGradient({
      dy: this.#inputGradient(dy),
      x,
      normalization: normalization(this.#norm, statistics),
      mask: 'recompute',
      overwriteInput: false,
      wantMasked: false,
    });
    keepNormGradients(this.#norm, { dScale, dShift }, want, gradients);
    if (want.input) return dx;
    dx.dispose();
    return undefined;
  }

  #filterGradient(x: Tensor4D, dy: Tensor4D, statistics: BatchStatistics): Tensor4D {
    const kernels = currentKernels();
    const norm = normalization(this.#norm, statistics);
    if (kernels.conv2dActivatedFilterGradient !== undefined) {
      return kernels.conv2dActivatedFilterGradient(x, norm, dy, this.#filterShape, this.#geometry);
    }
    const activation = this.#activation(x, statistics);
    const gradient = kernels.conv2dFilterGradient(activation, dy, this.#filterShape, this.#geometry);
    activation.dispose();
    return gradient;
  }

  /** Consumes dy. */
  #inputGradient(dy: Tensor4D): Tensor4D {
    const kernels = currentKernels();
    const filter = filterOf(this.#weight);
    if (this.#keepsShape && kernels.conv2dInputGradientInPlace !== undefined) {
      return kernels.conv2dInputGradientInPlace(dy, filter, this.#geometry);
    }
    const below = kernels.conv2dInputGradient(dy, filter, batched(this.inputShape, dy.shape[0]), this.#geometry);
    dy.dispose();
    return below;
  }

  get #keepsShape(): boolean {
    return this.#geometry.stride === 1 && sameShape(this.inputShape, this.outputShape);
  }

  #activation(x: Tensor4D, statistics: BatchStatistics | undefined): Tensor4D {
    return currentKernels().batchNormApply(x, normalization(this.#norm, statistics), undefined, true);
  }

  #wantsNorm(want: Want): boolean {
    return want.parameters && (isTrained(this.#norm.scale) || isTrained(this.#norm.shift));
  }

  #cost(): BlockCost {
    const [height, width] = this.outputShape;
    const channels = this.inputShape[2];
    const inputBytes = (batchSize: number) => bytesOf(this.inputShape, batchSize);
    return {
      multiplyAccumulates: height * width * this.#weight.size,
      residualBytes: () => vectorPairBytes(channels),
      forwardPeakBytes: (batchSize) =>
        vectorPairBytes(channels) + inputBytes(batchSize) + bytesOf(this.outputShape, batchSize),
      ...vjpPeaks((batchSize, want, isShared) => {
        const ledger = new Ledger();
        if (want.parameters && isTrained(this.#weight)) {
          const activation = savesMap('conv2dActivatedFilterGradient') ? 0 : inputBytes(batchSize);
          ledger.take(activation + 4 * this.#weight.size);
          ledger.give(activation);
        }
        if (!want.input && !this.#wantsNorm(want)) return ledger.peak;
        const outputBytes = bytesOf(this.outputShape, batchSize);
        const isInPlace = this.#keepsShape && savesMap('conv2dInputGradientInPlace');
        const freed = isShared ? 0 : outputBytes;
        if (isInPlace) ledger.give(freed);
        ledger.take(inputBytes(batchSize));
        if (!isInPlace) ledger.give(freed);
        // dx reuses the buffer of its cotangent.
        ledger.take(vectorPairBytes(channels));
        return ledger.peak;
      }),
    };
  }
}
