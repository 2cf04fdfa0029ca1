import { formatShape, type HeadContext, LocalgradError } from '@localgrad/core';

/** Convolution of a head or decoder for ImageNet. */
interface ImageNetLayer {
  readonly channels: number;
  readonly kernelSize: number;
}

interface ImageNetHeadLayer extends ImageNetLayer {
  readonly stride: number;
}

export interface ImageNetDecoderLayer extends ImageNetLayer {
  /** The map is upsampled to this fraction of the image's size first; undefined: it keeps its size. */
  readonly reduction?: number;
}

/** Head and decoder of a module. */
interface ImageNetLayers {
  readonly head: readonly ImageNetHeadLayer[];
  readonly decoder: readonly ImageNetDecoderLayer[];
}

/**
 * By the ratio of the network's last channels to the module's: stages 2 and 3 of a ResNet with Bottlenecks, 512 and 1024 of
 * 2048 channels (docs/methods/heads.md §6). Channels are those for 2048.
 */
const layersByRatio: ReadonlyMap<number, ImageNetLayers> = new Map([
  [
    4,
    {
      head: [
        { channels: 128, kernelSize: 1, stride: 1 },
        { channels: 256, kernelSize: 3, stride: 2 },
        { channels: 512, kernelSize: 3, stride: 2 },
        { channels: 2048, kernelSize: 1, stride: 1 },
      ],
      decoder: [
        { channels: 128, kernelSize: 1 },
        { channels: 32, kernelSize: 3, reduction: 4 },
        { channels: 12, kernelSize: 3, reduction: 2 },
      ],
    },
  ],
  [
    2,
    {
      head: [
        { channels: 256, kernelSize: 1, stride: 1 },
        { channels: 256, kernelSize: 3, stride: 2 },
        { channels: 512, kernelSize: 3, stride: 2 },
        { channels: 2048, kernelSize: 1, stride: 1 },
      ],
      decoder: [
        { channels: 192, kernelSize: 1 },
        { channels: 64, kernelSize: 1, reduction: 8 },
        { channels: 32, kernelSize: 3, reduction: 4 },
        { channels: 12, kernelSize: 3, reduction: 2 },
      ],
    },
  ],
]);

/** HPFF's decoders, by the ratio of the image's height to the map's (its code: 56, 28 and 14 pixels of 224). */
const hpffDecoderByReduction: ReadonlyMap<number, readonly ImageNetDecoderLayer[]> = new Map([
  [
    4,
    [
      { channels: 128, kernelSize: 1 },
      { channels: 16, kernelSize: 3, reduction: 2 },
    ],
  ],
  [
    8,
    [
      { channels: 128, kernelSize: 1 },
      { channels: 32, kernelSize: 3, reduction: 4 },
      { channels: 16, kernelSize: 3, reduction: 2 },
    ],
  ],
  [
    16,
    [
      { channels: 128, kernelSize: 1 },
      { channels: 64, kernelSize: 3, reduction: 2 },
      { channels: 32, kernelSize: 3, reduction: 4 },
      { channels: 16, kernelSize: 3, reduction: 2 },
    ],
  ],
]);

/** Last channels of the published networks. */
const publishedChannels = 2048;

/** The convolutions of a module's head, scaled to the network's width. @throws LocalgradError `shape-mismatch` */
export function imageNetHeadLayers(context: HeadContext): readonly ImageNetHeadLayer[] {
  return scaled(layersOf('infopro-imagenet', context).head, context);
}

/** The hidden convolutions of a module's decoder, scaled likewise. @throws LocalgradError `shape-mismatch` */
export function imageNetDecoderLayers(context: HeadContext): readonly ImageNetDecoderLayer[] {
  return scaled(layersOf('imagenet-decoder', context).decoder, context);
}

/** The hidden convolutions of HPFF's decoder of a module, scaled likewise. @throws LocalgradError `shape-mismatch` */
export function hpffImageNetDecoderLayers(context: HeadContext): readonly ImageNetDecoderLayer[] {
  const { module, inputShape, imageShape } = context;
  const layers = hpffDecoderByReduction.get(imageShape[0] / inputShape[0]);
  if (layers !== undefined) return scaled(layers, context);
  throw new LocalgradError(
    'shape-mismatch',
    `hpff-imagenet-decoder: module ${module} outputs ${formatShape(inputShape)} for images of ${formatShape(imageShape)}; published for maps of 1/4, 1/8 and 1/16 of the image's size. Cut the network in another stage, or choose another decoder.`,
    { module, inputShape, imageShape },
  );
}

function layersOf(name: string, { module, inputShape, finalShape }: HeadContext): ImageNetLayers {
  const layers = layersByRatio.get(finalShape[2] / inputShape[2]);
  if (layers !== undefined) return layers;
  throw new LocalgradError(
    'shape-mismatch',
    `${name}: module ${module} outputs ${formatShape(inputShape)}; published for modules with a quarter or half of the network's last channels, ${finalShape[2]} (512 and 1024 of 2048). Cut the network in stage 2 or 3, or choose another head.`,
    { module, inputShape, finalShape },
  );
}

function scaled<Layer extends ImageNetLayer>(layers: readonly Layer[], { finalShape }: HeadContext): Layer[] {
  const scale = finalShape[2] / publishedChannels;
  return layers.map((layer) => ({ ...layer, channels: Math.max(1, Math.round(layer.channels * scale)) }));
}
