import {
  type Block,
  formatShape,
  type Initializer,
  LocalgradError,
  type ParameterScope,
  type Shape3,
} from '@localgrad/core';
import { flatten, relu } from '../blocks/activations.js';
import { batchNorm } from '../blocks/batch-norm.js';
import { firstToken } from '../blocks/class-token.js';
import { conv2d } from '../blocks/conv2d.js';
import { dense } from '../blocks/dense.js';
import { dropout } from '../blocks/dropout.js';
import { globalAveragePool } from '../blocks/global-average-pool.js';
import { layerNorm } from '../blocks/layer-norm.js';
import { adaptiveAveragePool, type BilinearOptions, bilinearUpsample, maxPool } from '../blocks/pooling.js';
import { convBatchNormRelu } from '../blocks/residual-blocks.js';

/**
 * Builds a head's layers in sequence, named by their index in the PyTorch `nn.Sequential` of the reference code
 * (`head.0.weight`, `head.1.running_mean`, …), where ReLU, pooling and flattening count too.
 */
export class HeadLayers {
  /** The layers added so far, in forward order. */
  readonly blocks: Block[] = [];
  readonly #scope: ParameterScope;
  #shape: Shape3;
  #index = 0;

  /** @param name of the `nn.Sequential` in the reference code */
  constructor(scope: ParameterScope, inputShape: Shape3, name = 'head') {
    this.#scope = scope.scope(name);
    this.#shape = inputShape;
  }

  /** Convolution without bias, batch norm, ReLU. */
  convolution(channels: number, kernelSize: number, stride: number): this {
    const names = [String(this.#index), String(this.#index + 1)] as const;
    const inputShape = this.#shape;
    this.#index += 3;
    return this.#push(
      convBatchNormRelu({
        name: `conv${names[0]}`,
        scope: this.#scope,
        inputShape,
        channels,
        kernelSize,
        stride,
        names,
      }),
    );
  }

  /** Convolution with bias alone, of stride 1. */
  biasedConvolution(channels: number, kernelSize: number, initializer?: Initializer): this {
    const layer = String(this.#index++);
    const common = { name: `conv${layer}`, scope: this.#scope, inputShape: this.#shape, layer };
    return this.#push(
      conv2d({ ...common, channels, kernelSize, ...(initializer === undefined ? {} : { initializer }) }),
    );
  }

  /** Bilinear upsampling, corners aligned. */
  upsample(size: readonly [height: number, width: number], options?: BilinearOptions): this {
    return this.#push(bilinearUpsample(`upsample${this.#index++}`, this.#shape, size, options));
  }

  /** 2×2 max pooling; a map of one row or column stays as it is. */
  maxPool(): this {
    const name = `pool${this.#index++}`;
    if (this.#shape[0] < 2 || this.#shape[1] < 2) return this;
    return this.#push(maxPool({ name, inputShape: this.#shape, size: 2, stride: 2, padding: 0 }));
  }

  /** The class token of a vision transformer and its layer norm. @throws LocalgradError `shape-mismatch` for maps */
  normalizedToken(): this {
    if (this.#shape[0] !== 1) {
      throw new LocalgradError(
        'shape-mismatch',
        `head 'class-token' reads tokens, [1, tokens, width], but the module outputs ${formatShape(this.#shape)}; it is for vision transformers.`,
        { inputShape: this.#shape },
      );
    }
    this.#push(firstToken(`token${this.#index++}`, this.#shape));
    const layer = String(this.#index++);
    return this.#push(layerNorm({ name: `norm${layer}`, scope: this.#scope, inputShape: this.#shape, layer }));
  }

  /** Global average pooling and flattening. */
  globalPool(): this {
    const name = `pool${this.#index}`;
    this.#index += 2;
    return this.#push(globalAveragePool(name, this.#shape));
  }

  /** Adds average pooling to `size` × `size`. */
  adaptivePool(size: number): this {
    return this.#push(adaptiveAveragePool(`pool${this.#index++}`, this.#shape, [size, size]));
  }

  /** Adds flattening to a vector. */
  flatten(): this {
    return this.#push(flatten(`flatten${this.#index++}`, this.#shape));
  }

  /** Adds dropout of whole channels. */
  channelDropout(rate: number): this {
    const name = `dropout${this.#index++}`;
    return this.#push(dropout({ name, scope: this.#scope, inputShape: this.#shape, rate, per: 'channel' }));
  }

  /** Adds a dense layer. */
  dense(units: number, bias = true): this {
    const layer = String(this.#index++);
    return this.#push(dense({ name: `fc${layer}`, scope: this.#scope, inputShape: this.#shape, units, bias, layer }));
  }

  /** Adds batch normalization. */
  batchNorm(): this {
    const layer = String(this.#index++);
    return this.#push(batchNorm({ name: `bn${layer}`, scope: this.#scope, inputShape: this.#shape, layer }));
  }

  /** Adds a ReLU. */
  relu(): this {
    return this.#push(relu(`relu${this.#index++}`, this.#shape));
  }

  /** Channels of the last added layer, initially of the input. */
  get channels(): number {
    return this.#shape[2];
  }

  #push(block: Block): this {
    this.blocks.push(block);
    this.#shape = block.outputShape;
    return this;
  }
}
