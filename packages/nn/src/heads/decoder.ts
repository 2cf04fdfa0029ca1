import {
  type Block,
  formatShape,
  type Head,
  type HeadContext,
  LocalgradError,
  moduleInputTarget,
  type ParameterScope,
  rejectUnknownKeys,
  requireOption,
  type Shape3,
} from '@localgrad/core';
import { relu } from '../blocks/activations.js';
import { batchNorm } from '../blocks/batch-norm.js';
import { patchTokens } from '../blocks/class-token.js';
import { conv2d } from '../blocks/conv2d.js';
import { bilinearUpsample } from '../blocks/pooling.js';
import type { LossFunction } from '../losses/loss-function.js';
import { binaryCrossEntropy, meanSquaredError } from '../losses/pixel-losses.js';
import { blockHead } from './block-head.js';
import { HeadLayers } from './head-layers.js';
import { hpffImageNetDecoderLayers, type ImageNetDecoderLayer, imageNetDecoderLayers } from './imagenet-layers.js';

/** Options of `pixelDecoder`. */
export interface DecoderOptions {
  /** Factor on the 12 hidden channels; default 1. */
  readonly widen?: number;
}

/**
 * InfoPro's decoder for small images (docs/methods/heads.md §3): bilinear upsampling to the image, 3×3 convolution to
 * 12·widen channels, batch norm, ReLU, 3×3 convolution to the image's channels; mean binary cross-entropy with the
 * augmented image in [0, 1]. Names: `decoder.0`, `decoder.1`, `decoder.3`, as in the reference code. The tokens of a vision
 * transformer are laid out on their grid first, without the class token; maps of one row and patches of maps are no tokens.
 *
 * @throws LocalgradError `shape-mismatch` for tokens without a grid
 */
export function pixelDecoder(context: HeadContext, scope: ParameterScope, options: DecoderOptions = {}): Head {
  return decoder('pixelDecoder', context, scope, options, context.imageShape, binaryCrossEntropy);
}

/**
 * InfoPro's decoder for ImageNet (docs/methods/heads.md §6): 1×1 convolutions, then 3×3 convolutions after each doubling of
 * the size by bilinear upsampling, batch norm and ReLU after all but the last; mean binary cross-entropy with the augmented
 * image in [0, 1]. Names count from `decoder.0`, upsampling included.
 *
 * @throws LocalgradError `shape-mismatch` for modules without a published decoder
 */
export function imageNetDecoder(context: HeadContext, scope: ParameterScope, options: DecoderOptions = {}): Head {
  const widen = widenOf('imageNetDecoder', options);
  return upsamplingDecoder('imagenet-decoder', context, scope, imageNetDecoderLayers(context), widen);
}

/**
 * The decoder of HPFF's ImageNet code for stages 1 to 3, as `imageNetDecoder` but by the size of the map (docs/methods/heads.md §6).
 *
 * @throws LocalgradError `shape-mismatch` for maps of other sizes
 */
export function hpffImageNetDecoder(context: HeadContext, scope: ParameterScope, options: DecoderOptions = {}): Head {
  const widen = widenOf('hpffImageNetDecoder', options);
  return upsamplingDecoder('hpff-imagenet-decoder', context, scope, hpffImageNetDecoderLayers(context), widen);
}

/** Of a map of an eighth of the image's size. */
const segmentationLayers: readonly ImageNetDecoderLayer[] = [
  { channels: 128, kernelSize: 1 },
  { channels: 32, kernelSize: 3, reduction: 4 },
  { channels: 12, kernelSize: 3, reduction: 2 },
];

/**
 * InfoPro's decoder in its experiments with label maps, as `imageNetDecoder` but with the same widths for every module
 * (docs/methods/heads.md §7).
 */
export function segmentationDecoder(context: HeadContext, scope: ParameterScope, options: DecoderOptions = {}): Head {
  const widen = widenOf('segmentationDecoder', options);
  return upsamplingDecoder('segmentation-decoder', context, scope, segmentationLayers, widen);
}

function upsamplingDecoder(
  name: string,
  { inputShape, imageShape: [height, width, channels] }: HeadContext,
  scope: ParameterScope,
  hidden: readonly ImageNetDecoderLayer[],
  widen: number,
): Head {
  const layers = new HeadLayers(scope, inputShape, 'decoder');
  for (const layer of hidden) {
    if (layer.reduction !== undefined) {
      layers.upsample([Math.ceil(height / layer.reduction), Math.ceil(width / layer.reduction)]);
    }
    layers
      .biasedConvolution(layer.channels * widen, layer.kernelSize)
      .batchNorm()
      .relu();
  }
  layers.upsample([height, width]).biasedConvolution(channels, 3);
  return blockHead({ name, blocks: layers.blocks, loss: binaryCrossEntropy });
}

/**
 * The decoder of `pixelDecoder`, which reconstructs the module's input instead of the image: mean squared error with
 * target `moduleInput` (docs/methods/infopro.md §5).
 */
export function featureDecoder(context: HeadContext, scope: ParameterScope, options: DecoderOptions = {}): Head {
  const loss = meanSquaredError(moduleInputTarget);
  return decoder('featureDecoder', context, scope, options, context.moduleInputShape, loss);
}

function decoder(
  where: string,
  { inputShape, isPatch = false }: HeadContext,
  scope: ParameterScope,
  options: DecoderOptions,
  [height, width, channels]: Shape3,
  loss: LossFunction,
): Head {
  const widen = widenOf(where, options);
  const layers = scope.scope('decoder');
  const grid = isPatch ? undefined : gridOf(where, inputShape, [height, width]);
  const maps: Block[] = grid === undefined ? [] : [patchTokens('patches', inputShape, grid)];
  const upsample = bilinearUpsample('upsample', maps[0]?.outputShape ?? inputShape, [height, width]);
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
    blocks: [...maps, upsample, hidden, norm, relu('relu2', hidden.outputShape), output],
    loss,
  });
}

/** The grid of tokens, of the proportions of the image; undefined for maps. */
function gridOf(where: string, inputShape: Shape3, [height, width]: readonly [number, number]) {
  if (inputShape[0] > 1 || inputShape[1] === 1 || height === 1) return undefined;
  const patches = inputShape[1] - 1;
  // A map of one row belongs to an image so wide; a class token and a grid never do.
  if (width > height * patches) return undefined;
  const rows = Math.round(Math.sqrt((patches * height) / width));
  const columns = patches / rows;
  if (rows * width === columns * height) return [rows, columns] as const;
  throw new LocalgradError(
    'shape-mismatch',
    `${where}: the map ${formatShape(inputShape)} is a line; to reconstruct ${height}×${width} pixels, it has to be a class token and patches on a grid of the same proportions.`,
    { inputShape, image: [height, width] },
  );
}

function widenOf(where: string, options: DecoderOptions): number {
  rejectUnknownKeys(where, options, ['widen']);
  const { widen = 1 } = options;
  requireOption(Number.isInteger(widen) && widen > 0, where, 'widen', widen, 'positive integers');
  return widen;
}
