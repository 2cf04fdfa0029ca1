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
import { currentKernels, type GroupNormParameters, type GroupStatistics } from '@localgrad/kernels';
import { dispose, type Tensor, type Tensor4D } from '@tensorflow/tfjs';
import { ones, zeros } from '../random/initializers.js';
import { vectorPairBytes } from './batch-norm-parameters.js';
import { isTrained } from './convolution-unit.js';
import { vectorOf } from './parameter-values.js';
import { evaluationPass, TrainingPass } from './pass.js';
import type { FrugalBlock } from './vjp-reads.js';

/** Options of `groupNorm`. */
export interface GroupNormOptions {
  /** Name of the block, unique in its network. */
  readonly name: string;
  /** Scope in which the parameters are created. */
  readonly scope: ParameterScope;
  /** Shape [height, width, channels] of one sample's input. */
  readonly inputShape: Shape3;
  /** Number of groups of channels; divides the channels. 1 is layer norm over a whole image, one per channel instance norm. */
  readonly groups: number;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Name of the layer below the scope. By default, the parameters sit directly in the scope. */
  readonly layer?: string;
}

/**
 * PyTorch's GroupNorm: normalizes each image's groups of neighboring channels, in training and evaluation alike, then scales
 * and shifts each channel by `weight` and `bias`. It does not depend on the batch.
 */
export function groupNorm(options: GroupNormOptions): Block {
  rejectUnknownKeys('groupNorm', options, ['name', 'scope', 'inputShape', 'groups', 'epsilon', 'layer']);
  const { inputShape, groups, epsilon = 1e-5 } = options;
  const divides = Number.isInteger(groups) && groups > 0 && inputShape[2] % groups === 0;
  requireOption(divides, 'groupNorm', 'groups', groups, `divisors of the ${inputShape[2]} channels`);
  requireOption(Number.isFinite(epsilon) && epsilon >= 0, 'groupNorm', 'epsilon', epsilon, 'numbers ≥ 0');
  return new GroupNorm(options);
}

class GroupNorm implements FrugalBlock {
  readonly vjpReads = { input: true, output: false };
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[] = [];
  readonly cost: BlockCost;
  readonly #options: GroupNormOptions;
  readonly #scale: Parameter;
  readonly #shift: Parameter;

  constructor(options: GroupNormOptions) {
    const { name, inputShape, groups, layer } = options;
    const scope = layer === undefined ? options.scope : options.scope.scope(layer);
    const channels = inputShape[2];
    this.name = name;
    this.#options = options;
    this.inputShape = inputShape;
    this.outputShape = inputShape;
    this.#scale = scope.parameter('weight', [channels], ones);
    this.#shift = scope.parameter('bias', [channels], zeros);
    this.parameters = [this.#scale, this.#shift];
    this.cost = {
      multiplyAccumulates: 0,
      residualBytes: (batchSize) => vectorPairBytes(batchSize * groups),
      forwardPeakBytes: (batchSize) => bytesOf(inputShape, batchSize) + vectorPairBytes(batchSize * groups),
      vjpPeakBytes: () => vectorPairBytes(channels),
    };
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    const { output, ...statistics } = currentKernels().groupNorm(x, this.#kernelParameters());
    if (mode.training) return new TrainingPass<GroupStatistics>(this, x, output, statistics, disposeStatistics);
    disposeStatistics(statistics);
    return evaluationPass(x, output);
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    const statistics = TrainingPass.open<GroupStatistics>(this, pass, want.release);
    const parameters = this.#kernelParameters();
    const { dx, dScale, dShift } = currentKernels().groupNormGradient({ dy, x: pass.input, statistics, parameters });
    if (want.release) disposeStatistics(statistics);
    const gradients = new Map<Parameter, Tensor>();
    if (want.parameters && isTrained(this.#scale)) gradients.set(this.#scale, dScale);
    else dScale.dispose();
    if (want.parameters && isTrained(this.#shift)) gradients.set(this.#shift, dShift);
    else dShift.dispose();
    if (want.input) return { input: dx, parameters: gradients };
    dx.dispose();
    return { parameters: gradients };
  }

  replicate(scope: ParameterScope): Block {
    return new GroupNorm({ ...this.#options, scope });
  }

  /** Borrows the tensors. */
  #kernelParameters(): GroupNormParameters {
    const { groups, epsilon = 1e-5 } = this.#options;
    return { groups, epsilon, scale: vectorOf(this.#scale), shift: vectorOf(this.#shift) };
  }
}

function disposeStatistics({ mean, variance }: GroupStatistics): void {
  dispose([mean, variance]);
}
