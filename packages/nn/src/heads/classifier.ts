import { type Head, type ParameterScope, rejectUnknownKeys, type Shape3 } from '@localgrad/core';
import { dense } from '../blocks/dense.js';
import { globalAveragePool } from '../blocks/global-average-pool.js';
import { softmaxCrossEntropy } from '../losses/softmax-cross-entropy.js';
import { blockHead } from './block-head.js';

/** Options of `createClassifier`. */
export interface ClassifierOptions {
  /** Scope in which the weights are created. */
  readonly scope: ParameterScope;
  /** Shape [height, width, channels] of one sample of the feature map. */
  readonly inputShape: Shape3;
  /** Number of classes. */
  readonly classes: number;
  /** Default `classifier`. */
  readonly name?: string;
}

/** The classifier of a residual network: global average pooling, `fc.weight` and `fc.bias`, cross-entropy. */
export function createClassifier(options: ClassifierOptions): Head {
  rejectUnknownKeys('createClassifier', options, ['scope', 'inputShape', 'classes', 'name']);
  const { scope, inputShape, classes, name = 'classifier' } = options;
  return blockHead({
    name,
    blocks: [
      globalAveragePool('pool', inputShape),
      dense({ name: 'fc', scope, inputShape: [1, 1, inputShape[2]], units: classes, layer: 'fc' }),
    ],
    loss: softmaxCrossEntropy,
  });
}
