import { backboneFactory, namedBackbones } from '@localgrad/backbones';
import { type JsonObject, rejectUnknownKeys, type Schedule } from '@localgrad/core';
import { loadDataset } from '@localgrad/data';
import { headFactory } from '@localgrad/nn/heads';
import { adam, adamw, sgd } from '@localgrad/nn/optimizers';
import {
  constantRate,
  cosine,
  epochCosine,
  polynomial,
  type StepDecayOptions,
  stepDecay,
} from '@localgrad/nn/schedules';
import type { Entry, Factories } from './factories.js';
import { uncheckedOptions } from './unchecked-options.js';

type Entries<Name extends keyof Factories> = Readonly<Record<string, Entry<Factories[Name]>>>;

const namedBackbone: Factories['backbones'] = (options, { name }) => backboneFactory(name, uncheckedOptions(options));

export const backbones: Entries<'backbones'> = Object.fromEntries(
  namedBackbones.flatMap(({ names, ...family }) =>
    names.map((name): [string, Entry<Factories['backbones']>] => [name, { ...family, create: namedBackbone }]),
  ),
);

const namedDataset: Factories['datasets'] = (options, { name }) => loadDataset(name, options);

export const datasets: Entries<'datasets'> = {
  'fashion-mnist-subset': {
    description: '5,000 training and 1,000 test images of Fashion-MNIST, included in localgrad.',
    create: namedDataset,
  },
  'fashion-mnist': {
    description: 'Fashion-MNIST: 60,000 and 10,000 gray images of 28 × 28, read from a folder.',
    create: namedDataset,
  },
  cifar10: {
    description: 'CIFAR-10: 50,000 and 10,000 color images of 32 × 32, read from a folder.',
    create: namedDataset,
  },
  cifar100: {
    description: 'CIFAR-100: 50,000 and 10,000 color images of 32 × 32 in 100 classes, read from a folder.',
    create: namedDataset,
  },
  svhn: {
    description: 'SVHN: 73,257 and 26,032 color images of digits of 32 × 32, read from a folder.',
    create: namedDataset,
    options: ['extra'],
  },
  stl10: {
    description: 'STL-10: 5,000 and 8,000 color images of 96 × 96, read from a folder.',
    create: namedDataset,
    options: ['fold'],
  },
  mnist: {
    description: 'MNIST: 60,000 and 10,000 gray images of digits of 28 × 28, read from a folder.',
    create: namedDataset,
  },
  kmnist: {
    description: 'Kuzushiji-MNIST: 60,000 and 10,000 gray images of characters of 28 × 28, read from a folder.',
    create: namedDataset,
  },
};

const headDescriptions: Readonly<Record<string, string>> = {
  '0c1f': 'Global pooling and one dense layer.',
  '0c2f': 'Global pooling and two dense layers.',
  '1c1f': 'One convolution, global pooling and one dense layer (InfoPro).',
  '1c2f': 'One convolution, global pooling and two dense layers (InfoPro).',
  '1c3f': 'One convolution, global pooling and three dense layers (InfoPro).',
  '2c2f': 'Two convolutions, global pooling and two dense layers (InfoPro).',
  'dgl-mlp-sr': 'Spatial reduction, three 1×1 convolutions and three hidden layers (DGL).',
  'dgl-mlp': 'Spatial reduction and three hidden layers (DGL).',
  'dgl-cnn': 'Two convolutions and a dense layer (DGL).',
  'dgl-128x512': 'Three 1×1 convolutions of 128 channels and three hidden layers of 512 units.',
  'dni-synthesizer': 'Three 5×5 convolutions, global pooling and one dense layer (DGL in its comparison with DNI).',
  'auglocal-dgl': 'Spatial reduction, three 1×1 convolutions and two hidden layers (DGL in AugLocal).',
  'infopro-imagenet': 'Four convolutions, global pooling and one dense layer, for Bottleneck ResNets (InfoPro).',
  'infopro-segmentation': 'Scores of each pixel by two convolutions, for label maps.',
  'mmsegmentation-fcn': 'Scores of each pixel by two convolutions, for deep supervision (mmsegmentation).',
  'class-token': 'Layer norm and a dense layer on the class token, for vision transformers (MAN++).',
};

export const heads: Entries<'heads'> = Object.fromEntries(
  Object.entries(headDescriptions).map(([name, description]): [string, Entry<Factories['heads']>] => [
    name,
    { description, create: (options) => headFactory(name, uncheckedOptions(options)) },
  ]),
);

export const optimizers: Entries<'optimizers'> = {
  sgd: {
    description: 'Stochastic gradient descent with Nesterov momentum and L2 weight decay.',
    create: (options) => sgd(uncheckedOptions(options)),
    options: ['learningRate', 'momentum', 'nesterov', 'weightDecay', 'decay', 'parameters'],
  },
  adam: {
    description: 'Adam with L2 weight decay, as in PyTorch.',
    create: (options) => adam(uncheckedOptions(options)),
    options: ['learningRate', 'betas', 'epsilon', 'weightDecay', 'decay', 'parameters'],
  },
  adamw: {
    description: 'AdamW: Adam with decoupled weight decay, as in PyTorch.',
    create: (options) => adamw(uncheckedOptions(options)),
    options: ['learningRate', 'betas', 'epsilon', 'weightDecay', 'decay', 'parameters'],
  },
};

export const schedules: Entries<'schedules'> = {
  constant: {
    description: 'Constant learning rate.',
    ...scheduleOf(['learningRate'], constantRate),
  },
  epochCosine: {
    description: 'Half-period cosine decay over epochs, after a warm-up of ten epochs (InfoPro).',
    ...scheduleOf(['learningRate', 'warmupEpochs'], epochCosine),
  },
  cosine: {
    description: 'Half-period cosine decay over steps, after a linear warm-up.',
    ...scheduleOf(['learningRate', 'warmup'], cosine),
  },
  stepDecay: {
    description: 'Multiplies the learning rate by a factor at each milestone.',
    ...scheduleOf(['learningRate', 'milestones', 'factor', 'period'], (options: StepDecayOptions) =>
      stepDecay(options),
    ),
  },
  polynomial: {
    description: 'Polynomial decay over steps (DeepLab, mmsegmentation).',
    ...scheduleOf(['learningRate', 'power', 'end'], polynomial),
  },
};

function scheduleOf<Options>(
  names: readonly string[],
  create: (options: Options) => Schedule,
): Pick<Entry<Factories['schedules']>, 'create' | 'options'> {
  return {
    options: names,
    create: (options: JsonObject, { name }) => {
      rejectUnknownKeys(`schedule '${name}'`, options, names);
      return create(uncheckedOptions(options));
    },
  };
}
