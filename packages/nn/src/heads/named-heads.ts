import {
  type HeadContext,
  type HeadFactory,
  type JsonObject,
  LocalgradError,
  rejectUnknownKeys,
  requireOption,
  unknownName,
} from '@localgrad/core';
import type { LossFunction } from '../losses/loss-function.js';
import { pixelCrossEntropy } from '../losses/pixel-cross-entropy.js';
import { softmaxCrossEntropy } from '../losses/softmax-cross-entropy.js';
import { supervisedContrastive } from '../losses/supervised-contrastive.js';
import { uniformFanIn, zeros } from '../random/initializers.js';
import { blockHead } from './block-head.js';
import { HeadLayers } from './head-layers.js';
import { imageNetHeadLayers } from './imagenet-layers.js';

/** Options of `headFactory`. */
export interface HeadFactoryOptions {
  /** Factor on the widths of the convolutions of `XcYf` heads; default 1. */
  readonly widen?: number;
  /** Width of the hidden dense layers of `XcYf` heads, and of the output with `contrast`; default 128. */
  readonly featureDimension?: number;
  /**
   * `cross-entropy` (default), or `contrast`: the last layer of an `XcYf` head outputs features for the supervised
   * contrastive loss instead of class scores.
   */
  readonly loss?: 'cross-entropy' | 'contrast';
  /** Temperature of the contrastive loss; default 0.07. */
  readonly temperature?: number;
}

/** A head factory with a config that rebuilds it. */
export interface NamedHeadFactory extends HeadFactory {
  /** Plain data that rebuilds the factory. */
  readonly config: JsonObject;
}

interface Widths {
  readonly widen: number;
  readonly featureDimension: number;
  readonly outputs: number;
}

type Layout = (layers: HeadLayers, context: HeadContext, widths: Widths) => void;

/**
 * `XcYf` (InfoPro): X convolutions, pooling, Y dense layers. The first convolution doubles the channels at stride 2
 * unless the module has as many channels as the network's last one, in which case channels and size stay the same. For
 * CIFAR ResNets this means 16→32, 32→64, 64→64.
 */
function infoPro(convolutions: number, denseLayers: number): Layout {
  return (layers, { inputShape, finalShape }, { widen, featureDimension, outputs }) => {
    const grows = inputShape[2] < finalShape[2];
    if (convolutions > 0) layers.convolution((grows ? 2 : 1) * inputShape[2] * widen, 3, grows ? 2 : 1);
    for (let index = 1; index < convolutions; index++) layers.convolution(layers.channels, 3, 1);
    layers.globalPool();
    for (let index = 1; index < denseLayers; index++) layers.dense(featureDimension).relu();
    layers.dense(outputs);
  };
}

/** The original DGL perceptrons: `convolutions` 1×1 layers on a reduced map, then hidden layers on a 2×2 map. */
function dglPerceptron(convolutions: number, hidden: number, bias: boolean): Layout {
  return (layers, { inputShape, classes }) => {
    const [height, , channels] = inputShape;
    layers.adaptivePool(Math.ceil(height / 4));
    for (let index = 0; index < convolutions; index++) layers.convolution(channels, 1, 1);
    layers.adaptivePool(2).flatten();
    for (let index = 0; index < hidden; index++)
      layers
        .dense(4 * channels, bias)
        .batchNorm()
        .relu();
    layers.dense(classes);
  };
}

const dglConvolutional: Layout = (layers, { inputShape, classes }) => {
  const channels = inputShape[2];
  layers.convolution(channels, 3, 1).convolution(channels, 3, 1).adaptivePool(2).batchNorm().flatten().dense(classes);
};

/** The head of MLAAN's and MAN++'s DGL variants, with the 8×8 pooling of the latter. */
const dgl128x512: Layout = (layers, { classes }) => {
  layers.adaptivePool(8);
  for (let index = 0; index < 3; index++) layers.convolution(128, 1, 1);
  layers.globalPool();
  for (let index = 0; index < 3; index++) layers.dense(512).batchNorm().relu();
  layers.dense(classes);
};

/** DNI's model of synthetic gradients as a classifier, in DGL's comparison with DNI; the last convolution starts at 0. */
const dniSynthesizer: Layout = (layers, { inputShape, classes }) => {
  const channels = inputShape[2];
  const fanIn = uniformFanIn(25 * channels);
  for (let index = 0; index < 2; index++) layers.biasedConvolution(channels, 5, fanIn).batchNorm().relu();
  layers.biasedConvolution(channels, 5, zeros).globalPool().dense(classes);
};

/** The head of InfoPro and MAN for ImageNet. */
const infoProImageNet: Layout = (layers, context) => {
  for (const { channels, kernelSize, stride } of imageNetHeadLayers(context)) {
    layers.convolution(channels, kernelSize, stride);
  }
  layers.globalPool().dense(context.classes);
};

/** The end of MAN++'s auxiliary networks of vision transformers. */
const classToken: Layout = (layers, { classes }) => {
  layers.normalizedToken().dense(classes);
};

/** InfoPro's head for label maps: scores of each pixel, upsampled to the image. */
const infoProSegmentation: Layout = (layers, { inputShape: [, , channels], imageShape: [height, width], classes }) => {
  layers
    .biasedConvolution(Math.max(1, Math.floor(channels / 2)), 3)
    .batchNorm()
    .relu();
  layers.channelDropout(0.1).biasedConvolution(classes, 1).upsample([height, width]);
};

/** The head of mmsegmentation's deep supervision, `FCNHead` with one convolution. */
const mmsegmentationFcn: Layout = (layers, { inputShape: [, , channels], imageShape: [height, width], classes }) => {
  layers.convolution(Math.max(1, Math.floor(channels / 4)), 3, 1).channelDropout(0.1);
  layers.biasedConvolution(classes, 1).upsample([height, width], { alignCorners: false });
};

const layouts: Readonly<Record<string, Layout>> = {
  '0c1f': infoPro(0, 1),
  '0c2f': infoPro(0, 2),
  '1c1f': infoPro(1, 1),
  '1c2f': infoPro(1, 2),
  '1c3f': infoPro(1, 3),
  '2c2f': infoPro(2, 2),
  'dgl-mlp-sr': dglPerceptron(3, 3, true),
  'dgl-mlp': dglPerceptron(0, 3, true),
  'dgl-cnn': dglConvolutional,
  'dgl-128x512': dgl128x512,
  'dni-synthesizer': dniSynthesizer,
  'auglocal-dgl': dglPerceptron(3, 2, false),
  'infopro-imagenet': infoProImageNet,
  'infopro-segmentation': infoProSegmentation,
  'mmsegmentation-fcn': mmsegmentationFcn,
  'class-token': classToken,
};

/** Losses of heads that classify pixels instead of images. */
const pixelLosses: ReadonlyMap<string, LossFunction> = new Map([
  ['infopro-segmentation', pixelCrossEntropy()],
  ['mmsegmentation-fcn', pixelCrossEntropy({ over: 'all' })],
]);

/** Names of auxiliary classifiers in the literature, as accepted by `headFactory`. */
export const headNames: readonly string[] = Object.keys(layouts);

/**
 * An auxiliary head by its name in the literature: a classifier with softmax cross-entropy, or, for `XcYf`, a
 * projection with the supervised contrastive loss.
 *
 * @param owner whose options these are, in messages; a method passes its name
 * @throws LocalgradError `unknown-name` (lists the names), `invalid-option`
 */
export function headFactory(
  name: string,
  options: HeadFactoryOptions = {},
  owner = `headFactory '${name}'`,
): NamedHeadFactory {
  const layout = Object.hasOwn(layouts, name) ? layouts[name] : undefined;
  if (layout === undefined) throw unknownName('head', name, headNames);
  rejectUnknownKeys(owner, options, ['widen', 'featureDimension', 'loss', 'temperature']);
  const { widen = 1, featureDimension = 128, loss = 'cross-entropy', temperature } = options;
  requireOption(Number.isInteger(widen) && widen > 0, owner, 'widen', widen, 'positive integers');
  const wide = Number.isInteger(featureDimension) && featureDimension > 0;
  requireOption(wide, owner, 'featureDimension', featureDimension, 'positive integers');
  requireOption(['cross-entropy', 'contrast'].includes(loss), owner, 'loss', loss, 'cross-entropy, contrast');
  const isContrast = loss === 'contrast';
  if (!isContrast && temperature !== undefined) {
    throw new LocalgradError('invalid-option', `${owner}: option 'temperature' is for loss 'contrast' only.`, { name });
  }
  const [given] = Object.keys(options);
  if (given !== undefined && !/^\dc\df$/.test(name)) {
    throw new LocalgradError(
      'invalid-option',
      `${owner}: head '${name}' has no option '${given}'; heads that have it: ${headNames.filter((other) => /^\dc\df$/.test(other)).join(', ')}.`,
      { name, option: given },
    );
  }
  const lossFunction = isContrast
    ? supervisedContrastive(temperature === undefined ? {} : { temperature })
    : (pixelLosses.get(name) ?? softmaxCrossEntropy);
  return {
    name,
    config: { head: name, ...options },
    build: (context, scope) => {
      const layers = new HeadLayers(scope, context.inputShape);
      const outputs = isContrast ? featureDimension : context.classes;
      layout(layers, context, { widen, featureDimension, outputs });
      return blockHead({ name, blocks: layers.blocks, loss: lossFunction });
    },
  };
}
