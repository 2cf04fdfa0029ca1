import { type Head, type HeadContext, type ParameterScope, rejectUnknownKeys, requireOption } from '@localgrad/core';
import { relu } from '../blocks/activations.js';
import { batchNorm } from '../blocks/batch-norm.js';
import { conv2d } from '../blocks/conv2d.js';
import { bilinearUpsample } from '../blocks/pooling.js';
import { binaryCrossEntropy } from '../losses/pixel-losses.js';
import { blockHead } from './block-head.js';

/** Options of `pixelDecoder`. */
export interface DecoderOptions {
  /** Factor on the 12 hidden channels; default 1. */
  readonly widen?: number;
}

/**
 * InfoPro's decoder for small images (docs/methods/heads.md §3): bilinear upsampling to the image, 3×3 convolution to
 * 12·widen channels, batch norm, ReLU, 3×3 convolution to the image's channels; mean binary cross-entropy with the
 * augmented image in [0, 1]. Names: `decoder.0`, `decoder.1`, `decoder.3`, as in the reference code.
 */
export function pixelDecoder(context: HeadContext, scope: ParameterScope, options: DecoderOptions = {}): Head {
  rejectUnknownKeys('pixelDecoder', options, ['widen']);
  const { widen = 1 } = options;
  requireOption(Number.isInteger(widen) && widen > 0, 'pixelDecoder', 'widen', widen, 'positive integers');
  const [height, width, channels] = context.imageShape;
  const layers = scope.scope('decoder');
  const upsample = bilinearUpsample('upsample', context.inputShape, [height, width]);
  const hidden = conv2d({
    name: 'conv0',
    scope: layers,
    layer: '0',
    inputShape: upsample.outputShape,
    channels: 12 * widen,
  });
  const norm = batchNorm({ name: 'bn1', scope: layers, layer: '1', inputShape: hidden.outputShape });
  const output = conv2d({ name: 'conv3', scope: layers, layer: '3', inputShape: hidden.outputShape, channels });
  return blockHead({
    name: 'decoder',
    blocks: [upsample, hidden, norm, relu('relu2', hidden.outputShape), output],
    loss: binaryCrossEntropy,
  });
}
