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
  type Want,
} from '@localgrad/core';
import { type BatchStatistics, currentKernels } from '@localgrad/kernels';
import type { Tensor, Tensor4D } from '@tensorflow/tfjs';
import { type BatchNormParameters, createBatchNorm, normalization, vectorPairBytes } from './batch-norm-parameters.js';
import { disposeStatistics, keepNormGradients, takeBatchStatistics, takeBiasedStatistics } from './norm-steps.js';
import { evaluationPass, TrainingPass } from './pass.js';
import type { FrugalBlock } from './vjp-reads.js';

/** Options of `batchNorm`. */
export interface BatchNormOptions {
  /** Name of the block, unique in its network. */
  readonly name: string;
  /** Scope in which the parameters are created. */
  readonly scope: ParameterScope;
  /** Shape [height, width, channels] of one sample's input. */
  readonly inputShape: Shape3;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Weight of a batch in the running statistics. Default 0.1. */
  readonly momentum?: number;
  /**
   * Variance of a batch of n values per channel in the running statistics: `unbiased` (divided by n − 1; PyTorch's and
   * the default) or `biased` (divided by n; Keras').
   */
  readonly runningVariance?: 'unbiased' | 'biased';
  /** Name of the layer below the scope. By default, the parameters sit directly in the scope. */
  readonly layer?: string;
}

/** Batch norm as a block of its own; on 1×1 maps it is PyTorch's BatchNorm1d. */
export function batchNorm(options: BatchNormOptions): Block {
  const keys = ['name', 'scope', 'inputShape', 'epsilon', 'momentum', 'runningVariance', 'layer'];
  rejectUnknownKeys('batchNorm', options, keys);
  const { epsilon = 1e-5, momentum = 0.1, runningVariance = 'unbiased' } = options;
  requireOption(Number.isFinite(epsilon) && epsilon >= 0, 'batchNorm', 'epsilon', epsilon, 'numbers ≥ 0');
  requireOption(momentum >= 0 && momentum <= 1, 'batchNorm', 'momentum', momentum, 'numbers from 0 to 1');
  const isKnown = ['unbiased', 'biased'].includes(runningVariance);
  requireOption(isKnown, 'batchNorm', 'runningVariance', runningVariance, 'unbiased, biased');
  return new BatchNorm(options);
}

class BatchNorm implements FrugalBlock {
  readonly vjpReads = { input: true, output: false };
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[];
  readonly cost: BlockCost;
  readonly #options: BatchNormOptions;
  readonly #norm: BatchNormParameters;

  constructor(options: BatchNormOptions) {
    const { name, scope, inputShape, layer } = options;
    const channels = inputShape[2];
    this.name = name;
    this.#options = options;
    this.inputShape = inputShape;
    this.outputShape = inputShape;
    this.#norm = createBatchNorm(layer === undefined ? scope : scope.scope(layer), channels, options);
    this.parameters = [this.#norm.scale, this.#norm.shift];
    this.statistics = [this.#norm.runningMean, this.#norm.runningVariance];
    this.cost = {
      multiplyAccumulates: 0,
      residualBytes: () => vectorPairBytes(channels),
      forwardPeakBytes: (batchSize) => bytesOf(inputShape, batchSize) + vectorPairBytes(channels),
      vjpPeakBytes: () => vectorPairBytes(channels),
    };
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    const kernels = currentKernels();
    if (!mode.training) {
      return evaluationPass(x, kernels.batchNormApply(x, normalization(this.#norm), undefined, false));
    }
    const take = this.#options.runningVariance === 'biased' ? takeBiasedStatistics : takeBatchStatistics;
    const statistics = take(this.#norm, x, mode);
    const output = kernels.batchNormApply(x, normalization(this.#norm, statistics), undefined, false);
    return new TrainingPass<BatchStatistics>(this, x, output, statistics, disposeStatistics);
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    const statistics = TrainingPass.open<BatchStatistics>(this, pass, want.release);
    const { dx, dScale, dShift } = currentKernels().batchNormGradient({
      dy,
      x: pass.input,
      normalization: normalization(this.#norm, statistics),
      mask: 'none',
      overwriteInput: false,
      wantMasked: false,
    });
    if (want.release) disposeStatistics(statistics);
    const parameters = new Map<Parameter, Tensor>();
    keepNormGradients(this.#norm, { dScale, dShift }, want, parameters);
    if (want.input) return { input: dx, parameters };
    dx.dispose();
    return { parameters };
  }

  replicate(scope: ParameterScope): Block {
    return new BatchNorm({ ...this.#options, scope });
  }
}
