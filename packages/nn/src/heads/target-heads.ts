import { type HeadContext, type ParameterScope, rejectUnknownKeys, requireOption } from '@localgrad/core';
import { conv2d } from '../blocks/conv2d.js';
import { dense } from '../blocks/dense.js';
import { globalAveragePool } from '../blocks/global-average-pool.js';
import { bilinearUpsample } from '../blocks/pooling.js';
import { type PixelCrossEntropyOptions, pixelCrossEntropy } from '../losses/pixel-cross-entropy.js';
import { meanSquaredError } from '../losses/pixel-losses.js';
import { blockHead } from './block-head.js';
import type { NamedHeadFactory } from './named-heads.js';

/** Options of `meanSquaredErrorHead`. */
export interface RegressionHeadOptions {
  /** Values per sample; default 1. */
  readonly outputs?: number;
  /** Name of the target, shape [batch, outputs]; default `values`. */
  readonly target?: string;
}

/** Regression: global average pooling, `fc.weight` and `fc.bias`, mean squared error against a named target. */
export function meanSquaredErrorHead(options: RegressionHeadOptions = {}): NamedHeadFactory {
  const name = 'mean-squared-error';
  rejectUnknownKeys(name, options, ['outputs', 'target']);
  const { outputs = 1, target = 'values' } = options;
  requireOption(Number.isInteger(outputs) && outputs > 0, name, 'outputs', outputs, 'positive integers');
  requireOption(
    target !== '' && target !== 'labels' && target !== 'images',
    name,
    'target',
    target,
    'names of targets besides labels and images',
  );
  return {
    name,
    config: { head: name, ...options },
    build: ({ inputShape }: HeadContext, scope: ParameterScope) =>
      blockHead({
        name,
        blocks: [
          globalAveragePool('pool', inputShape),
          dense({ name: 'fc', scope, inputShape: [1, 1, inputShape[2]], units: outputs, layer: 'fc' }),
        ],
        loss: meanSquaredError(target),
      }),
  };
}

/** Options of `pixelCrossEntropyHead`. */
export interface PixelHeadOptions extends PixelCrossEntropyOptions {
  /** Number of classes per pixel; default: the data set's number of classes. */
  readonly classes?: number;
  /** Bilinear upsampling with the corners aligned (default), or with pixels as areas, as torchvision's networks have it. */
  readonly alignCorners?: boolean;
}

/**
 * Dense prediction: 1×1 convolution to one map per class, bilinear upsampling to the image's size, per-pixel
 * cross-entropy against a named target.
 */
export function pixelCrossEntropyHead(options: PixelHeadOptions = {}): NamedHeadFactory {
  const name = 'pixel-cross-entropy';
  rejectUnknownKeys(name, options, ['classes', 'target', 'ignore', 'over', 'alignCorners']);
  const { classes: given, alignCorners = true, ...rest } = options;
  const loss = pixelCrossEntropy(rest);
  return {
    name,
    config: { head: name, ...options },
    build: ({ inputShape, imageShape, ...context }: HeadContext, scope: ParameterScope) => {
      const classes = given ?? context.classes;
      requireOption(Number.isInteger(classes) && classes > 1, name, 'classes', classes, 'integers from 2');
      const scores = conv2d({
        name: 'scores',
        scope,
        layer: 'scores',
        inputShape,
        channels: classes,
        kernelSize: 1,
        padding: 0,
      });
      const [height, width] = imageShape;
      const upsample = bilinearUpsample('upsample', scores.outputShape, [height, width], { alignCorners });
      return blockHead({ name, blocks: [scores, upsample], loss });
    },
  };
}
