import type { Block, ParameterScope, Shape3 } from '@localgrad/core';
import { flatten, relu } from '../blocks/activations.js';
import { batchNorm } from '../blocks/batch-norm.js';
import { dense } from '../blocks/dense.js';
import { globalAveragePool } from '../blocks/global-average-pool.js';
import { adaptiveAveragePool } from '../blocks/pooling.js';
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

  constructor(scope: ParameterScope, inputShape: Shape3) {
    this.#scope = scope.scope('head');
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

  /** Channels of the last added layer. */
  get channels(): number {
    return this.#shape[2];
  }

  #push(block: Block): this {
    this.blocks.push(block);
    this.#shape = block.outputShape;
    return this;
  }
}
