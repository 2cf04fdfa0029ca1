import {
  type Block,
  type BlockCost,
  bytesOf,
  type Cotangents,
  type Mode,
  type NoiseKey,
  type Parameter,
  type ParameterScope,
  type Pass,
  rejectUnknownKeys,
  requireOption,
  type Shape3,
  type Want,
} from '@localgrad/core';
import { computedTensor } from '@localgrad/kernels';
import { clone, mul, type Tensor4D } from '@tensorflow/tfjs';
import { vjpPeaksOfReader } from '../cost/vjp-peaks.js';
import { noiseMask } from '../random/noise.js';
import { evaluationPass, TrainingPass } from './pass.js';
import type { FrugalBlock } from './vjp-reads.js';

/** Options of `dropout` and `stochasticDepth`. */
export interface DropoutOptions {
  /** Name of the block, unique in its network. */
  readonly name: string;
  /** Scope whose prefix, together with the name, identifies the block's random numbers. */
  readonly scope: ParameterScope;
  /** Shape [height, width, channels] of one sample's input. */
  readonly inputShape: Shape3;
  /** Probability of dropping a value; in [0, 1). */
  readonly rate: number;
  /** Unit that is dropped: a single value, a channel of a sample, or a whole sample. Default `element`. */
  readonly per?: 'element' | 'channel' | 'sample';
}

/**
 * Inverted dropout: in training, sets random values to 0 and scales the others by 1/(1 − rate). The identity in
 * evaluation mode and in passes without a noise key. The backward pass regenerates the mask instead of storing it.
 *
 * @throws LocalgradError `invalid-option`
 */
export function dropout(options: DropoutOptions): Block {
  rejectUnknownKeys('dropout', options, ['name', 'scope', 'inputShape', 'rate', 'per']);
  const { rate, per = 'element' } = options;
  requireOption(rate >= 0 && rate < 1, 'dropout', 'rate', rate, 'numbers in [0, 1)');
  requireOption(['element', 'channel', 'sample'].includes(per), 'dropout', 'per', per, 'element, channel, sample');
  return new Dropout(options);
}

/** Stochastic depth for the branch of a residual block: drops whole samples. Place it at the end of the branch. */
export function stochasticDepth(options: Omit<DropoutOptions, 'per'>): Block {
  rejectUnknownKeys('stochasticDepth', options, ['name', 'scope', 'inputShape', 'rate']);
  return dropout({ ...options, per: 'sample' });
}

class Dropout implements FrugalBlock {
  readonly vjpReads = { input: false, output: false };
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[] = [];
  readonly statistics: readonly Parameter[] = [];
  readonly cost: BlockCost;
  readonly isView: boolean;
  readonly #options: DropoutOptions;
  /** Full name, which identifies the block's random numbers. */
  readonly #fullName: string;
  readonly #maskShape: Shape3;

  constructor(options: DropoutOptions) {
    const { name, scope, inputShape, rate, per = 'element' } = options;
    this.name = name;
    this.inputShape = inputShape;
    this.outputShape = inputShape;
    this.isView = rate === 0;
    this.#options = options;
    this.#fullName = scope.prefix === '' ? name : `${scope.prefix}.${name}`;
    this.#maskShape = per === 'element' ? inputShape : [1, 1, per === 'channel' ? inputShape[2] : 1];
    const peakBytes = (batchSize: number) =>
      rate === 0 ? 0 : bytesOf(inputShape, batchSize) + bytesOf(this.#maskShape, batchSize);
    this.cost = {
      multiplyAccumulates: 0,
      residualBytes: () => 0,
      forwardPeakBytes: peakBytes,
      ...vjpPeaksOfReader((batchSize, want) => (want.input ? peakBytes(batchSize) : 0)),
    };
  }

  forward(x: Tensor4D, { training, noise }: Mode): Pass {
    if (!training) return evaluationPass(x, clone(x));
    return new TrainingPass(this, x, this.#masked(x, noise), noise, () => {});
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    const noise = TrainingPass.open<NoiseKey | undefined>(this, pass, want.release);
    const input = want.input ? this.#masked(dy, noise) : undefined;
    dy.dispose();
    return input === undefined ? { parameters: new Map() } : { input, parameters: new Map() };
  }

  replicate(scope: ParameterScope): Block {
    return new Dropout({ ...this.#options, scope });
  }

  #masked(x: Tensor4D, noise: NoiseKey | undefined): Tensor4D {
    const keep = 1 - this.#options.rate;
    if (noise === undefined || keep === 1) return clone(x);
    const shape: [number, number, number, number] = [x.shape[0], ...this.#maskShape];
    const size = shape.reduce((product, extent) => product * extent, 1);
    const mask = computedTensor<Tensor4D>(() => noiseMask(noise, this.#fullName, size, keep, 1 / keep), shape);
    const result = mul<Tensor4D>(x, mask);
    mask.dispose();
    return result;
  }
}
