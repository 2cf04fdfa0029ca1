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
import { dispose, reshape, type Tensor, type Tensor4D } from '@tensorflow/tfjs';
import { ones, zeros } from '../random/initializers.js';
import { vectorPairBytes } from './batch-norm-parameters.js';
import { isTrained } from './convolution-unit.js';
import { vectorOf } from './parameter-values.js';
import { evaluationPass, TrainingPass } from './pass.js';
import type { FrugalBlock } from './vjp-reads.js';

/** Options of `layerNorm`. */
export interface LayerNormOptions {
  /** Name of the block, unique in its network. */
  readonly name: string;
  /** Scope in which the parameters are created. */
  readonly scope: ParameterScope;
  /** Shape [height, width, channels] of one sample's input. */
  readonly inputShape: Shape3;
  /** Added to the variance. Default 1e-6, as in vision transformers. */
  readonly epsilon?: number;
  /** Name of the layer below the scope; default: parameters sit directly in the scope. */
  readonly layer?: string;
}

/**
 * PyTorch's LayerNorm over the channels: normalizes each position (pixel or token) by itself, then scales and shifts
 * each channel by `weight` and `bias`.
 */
export function layerNorm(options: LayerNormOptions): Block {
  rejectUnknownKeys('layerNorm', options, ['name', 'scope', 'inputShape', 'epsilon', 'layer']);
  const { epsilon = 1e-6 } = options;
  requireOption(Number.isFinite(epsilon) && epsilon >= 0, 'layerNorm', 'epsilon', epsilon, 'numbers ≥ 0');
  return new LayerNorm(options);
}

/** Layer norm as group norm with one group, where every position is an image of one pixel. */
class LayerNorm implements FrugalBlock {
  readonly vjpReads = { input: true, output: false };
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[] = [];
  readonly cost: BlockCost;
  readonly #options: LayerNormOptions;
  readonly #scale: Parameter;
  readonly #shift: Parameter;

  constructor(options: LayerNormOptions) {
    const { name, inputShape, layer } = options;
    const scope = layer === undefined ? options.scope : options.scope.scope(layer);
    const [height, width, channels] = inputShape;
    this.name = name;
    this.#options = options;
    this.inputShape = inputShape;
    this.outputShape = inputShape;
    this.#scale = scope.parameter('weight', [channels], ones);
    this.#shift = scope.parameter('bias', [channels], zeros);
    this.parameters = [this.#scale, this.#shift];
    const statisticsBytes = (batchSize: number) => vectorPairBytes(batchSize * height * width);
    this.cost = {
      multiplyAccumulates: 0,
      residualBytes: statisticsBytes,
      forwardPeakBytes: (batchSize) => bytesOf(inputShape, batchSize) + statisticsBytes(batchSize),
      vjpPeakBytes: () => vectorPairBytes(channels),
    };
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    const positions = asPositions(x);
    const { output: normalized, ...statistics } = currentKernels().groupNorm(positions, this.#kernelParameters());
    positions.dispose();
    const output = likeMaps(normalized, x);
    normalized.dispose();
    if (mode.training) return new TrainingPass<GroupStatistics>(this, x, output, statistics, disposeStatistics);
    disposeStatistics(statistics);
    return evaluationPass(x, output);
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    const statistics = TrainingPass.open<GroupStatistics>(this, pass, want.release);
    const [x, cotangent] = [asPositions(pass.input), asPositions(dy)];
    dy.dispose();
    const request = { dy: cotangent, x, statistics, parameters: this.#kernelParameters() };
    const { dx, dScale, dShift } = currentKernels().groupNormGradient(request);
    x.dispose();
    if (want.release) disposeStatistics(statistics);
    const parameters = new Map<Parameter, Tensor>();
    for (const [parameter, gradient] of [[this.#scale, dScale] as const, [this.#shift, dShift] as const]) {
      if (want.parameters && isTrained(parameter)) parameters.set(parameter, gradient);
      else gradient.dispose();
    }
    const input = want.input ? likeMaps(dx, pass.input) : undefined;
    dx.dispose();
    return input === undefined ? { parameters } : { input, parameters };
  }

  replicate(scope: ParameterScope): Block {
    return new LayerNorm({ ...this.#options, scope });
  }

  /** Borrows the tensors. */
  #kernelParameters(): GroupNormParameters {
    const { epsilon = 1e-6 } = this.#options;
    return { groups: 1, epsilon, scale: vectorOf(this.#scale), shift: vectorOf(this.#shift) };
  }
}

/** [n, h, w, c] → [n·h·w, 1, 1, c]; another handle on the same data. */
function asPositions(x: Tensor4D): Tensor4D {
  return reshape(x, [x.size / x.shape[3], 1, 1, x.shape[3]]);
}

function likeMaps(x: Tensor4D, { shape }: Tensor4D): Tensor4D {
  return reshape(x, shape);
}

function disposeStatistics({ mean, variance }: GroupStatistics): void {
  dispose([mean, variance]);
}
