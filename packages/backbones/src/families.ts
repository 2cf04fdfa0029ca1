import { type BackboneFactory, LocalgradError } from '@localgrad/core';
import { denseNetBc } from './densenet.js';
import { dglCnn, dniCnn } from './dgl-networks.js';
import { type DeepLabV3Options, type DilatedResNetOptions, deepLabV3, fcnResNet } from './dilated-resnet.js';
import { type ImageNetResNetOptions, imageNetResNet, imageNetResNetDepths } from './imagenet-resnet.js';
import { type LocalLossVggOptions, localLossVgg } from './local-loss-vgg.js';
import { type MlpOptions, mlp } from './mlp.js';
import { type CifarResNetOptions, cifarResNet } from './resnet.js';
import { type TinyNetOptions, tinyNet } from './tiny-net.js';
import { type VggOptions, vgg, vggDepths } from './vgg.js';
import { type VisionTransformerOptions, visionTransformer, visionTransformerSizes } from './vision-transformer.js';
import { type WideResNetOptions, wideResNet } from './wide-resnet.js';

/** Options of all named backbones; each backbone rejects options that do not apply to it. */
export type NamedBackboneOptions = Partial<
  {
    /** ResNets for ImageNet: blocks of each stage. Perceptrons: number of hidden layers. */
    readonly layers: NonNullable<ImageNetResNetOptions['layers'] | MlpOptions['layers']>;
  } & Omit<CifarResNetOptions, 'depth'> &
    Omit<ImageNetResNetOptions, 'depth' | 'layers' | 'groups' | 'widthPerGroup'> &
    Omit<DeepLabV3Options, 'depth' | 'layers'> &
    Omit<VggOptions, 'depth'> &
    Omit<LocalLossVggOptions, 'depth'> &
    Pick<WideResNetOptions, 'dropout'> &
    VisionTransformerOptions &
    Omit<MlpOptions, 'layers'> &
    TinyNetOptions
>;

type ImageNetOptions = Omit<ImageNetResNetOptions, 'depth'>;

/** Backbones of one kind. */
interface Family {
  readonly names: readonly string[];
  /** Matches the kind's names; its groups are the numbers in them. */
  readonly pattern: RegExp;
  readonly description: string;
  readonly options: readonly string[];
  /** What messages call the kind: the function that creates it. */
  readonly where: string;
  readonly create: (options: NamedBackboneOptions, numbers: readonly number[], name: string) => BackboneFactory;
}

const sizes: Readonly<Record<string, { readonly width: number; readonly heads: number }>> = visionTransformerSizes;

/** The first family whose pattern matches creates the backbone, so that ImageNet's ResNets precede those of 6n + 2 layers. */
export const families: readonly Family[] = [
  {
    names: imageNetResNetDepths.map((depth) => `resnet${depth}`),
    pattern: new RegExp(`^resnet(${imageNetResNetDepths.join('|')})$`),
    description: 'ResNet for ImageNet, with a 7×7 stem and four stages.',
    options: ['width', 'layers', 'zeroInitialize'],
    where: 'imageNetResNet',
    create: (options, [depth = 0]) => imageNetResNet({ ...(options as ImageNetOptions), depth }),
  },
  {
    names: ['resnext50-32x4d', 'resnext101-32x8d'],
    pattern: /^resnext(\d+)-(\d+)x(\d+)d$/,
    description: 'ResNeXt for ImageNet: groups × channels per group.',
    options: ['width', 'layers', 'zeroInitialize'],
    where: 'imageNetResNet',
    create: (options, [depth = 0, groups = 0, widthPerGroup = 0]) =>
      imageNetResNet({ ...(options as ImageNetOptions), depth, groups, widthPerGroup }),
  },
  {
    names: ['fcn-resnet50', 'fcn-resnet101'],
    pattern: new RegExp(`^fcn-resnet(${imageNetResNetDepths.join('|')})$`),
    description: 'Fully convolutional network on a dilated ResNet, for label maps.',
    options: ['width', 'layers'],
    where: 'fcnResNet',
    create: (options, [depth = 0]) => fcnResNet({ ...(options as Omit<DilatedResNetOptions, 'depth'>), depth }),
  },
  {
    names: ['deeplabv3-resnet50', 'deeplabv3-resnet101'],
    pattern: new RegExp(`^deeplabv3-resnet(${imageNetResNetDepths.join('|')})$`),
    description: 'DeepLab-V3 on a dilated ResNet, for label maps.',
    options: ['width', 'layers', 'variant', 'rates'],
    where: 'deepLabV3',
    create: (options, [depth = 0]) => deepLabV3({ ...(options as Omit<DeepLabV3Options, 'depth'>), depth }),
  },
  {
    names: [8, 14, 20, 32, 44, 56, 110].map((depth) => `resnet${depth}`),
    pattern: /^(?:cifar-)?resnet(\d+)$/,
    description: 'CIFAR ResNet of 6n + 2 layers.',
    options: ['width', 'widths'],
    where: 'cifarResNet',
    create: (options, [depth = 0]) => cifarResNet({ ...options, depth }),
  },
  {
    names: ['wide-resnet-28-10'],
    pattern: /^wide-resnet-(\d+)-(\d+)$/,
    description: 'Wide ResNet of 6n + 4 layers and a factor on the width, for small images.',
    options: ['dropout'],
    where: 'wideResNet',
    create: (options, [depth = 0, widen = 0]) => wideResNet({ ...options, depth, widen }),
  },
  {
    names: ['densenet-bc-100-12'],
    pattern: /^densenet-bc-(\d+)-(\d+)$/,
    description: 'DenseNet-BC of 6n + 4 layers and a growth rate, for small images.',
    options: [],
    where: 'denseNetBc',
    create: (options, [depth = 0, growth = 0]) => denseNetBc({ ...options, depth, growth }),
  },
  {
    names: vggDepths.map((depth) => `vgg${depth}`),
    pattern: /^vgg(\d+)$/,
    description: 'VGG for ImageNet.',
    options: ['width', 'batchNorm', 'hidden', 'dropout'],
    where: 'vgg',
    create: (options, [depth = 0]) => vgg({ ...options, depth }),
  },
  {
    names: ['vgg8b', 'vgg11b'],
    pattern: /^vgg(\d+)b$/,
    description: 'VGG with a hidden layer that trains locally (Nøkland & Eidnes), for small images.',
    options: ['width', 'hidden', 'activation', 'dropout', 'zeroOutput'],
    where: 'localLossVgg',
    create: (options, [depth = 0]) => localLossVgg({ ...options, depth }),
  },
  {
    names: ['cnn'],
    pattern: /^cnn$/,
    description: "Convolutions with batch norm of DGL's studies, for small images.",
    options: ['depth', 'width'],
    where: 'dglCnn',
    create: (options) => dglCnn(options),
  },
  {
    names: ['dni-cnn'],
    pattern: /^dni-cnn$/,
    description: 'Three 5×5 convolutions of DNI, for small images.',
    options: ['width'],
    where: 'dniCnn',
    create: (options) => dniCnn(options),
  },
  {
    names: Object.keys(sizes).map((size) => `vit-${size}`),
    pattern: new RegExp(`^vit-(?:${Object.keys(sizes).join('|')})$`),
    description: 'Vision transformer with a class token.',
    options: ['depth', 'patch', 'patchNorm'],
    where: 'visionTransformer',
    create: (options, _numbers, name) => {
      const size = sizes[name.slice('vit-'.length)] ?? visionTransformerSizes.tiny;
      return visionTransformer({ ...options, ...size });
    },
  },
  {
    names: ['vit'],
    pattern: /^vit$/,
    description: 'Vision transformer of any width and number of heads.',
    options: ['width', 'heads', 'depth', 'patch', 'patchNorm'],
    where: 'visionTransformer',
    create: ({ width, heads, ...options }) => {
      if (width === undefined || heads === undefined) {
        throw new LocalgradError(
          'invalid-option',
          "Backbone 'vit' requires the options width and heads: vit(width: 64, heads: 4).",
        );
      }
      return visionTransformer({ ...options, width, heads });
    },
  },
  {
    names: ['mlp'],
    pattern: /^mlp$/,
    description: 'Perceptron of dense layers with batch norm (predsim).',
    options: ['layers', 'width', 'activation', 'dropout', 'zeroOutput'],
    where: 'mlp',
    create: (options) => mlp(options as MlpOptions),
  },
  {
    names: ['tiny'],
    pattern: /^tiny$/,
    description: 'A few residual blocks, for tests and first steps.',
    options: ['blocks', 'width'],
    where: 'tinyNet',
    create: (options) => tinyNet(options),
  },
];
