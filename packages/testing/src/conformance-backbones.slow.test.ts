import { backboneFactory, type NamedBackboneOptions } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import type { Shape3 } from '@localgrad/core';
import { describeBackbone } from './index.js';

// Narrow versions of the papers' networks, on the current backend.
await selectBackend(process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm');

const image: Shape3 = [16, 16, 3];
const networks: [string, NamedBackboneOptions, Shape3?][] = [
  ['resnet18', { width: 4, layers: [1, 1, 1, 1] }, [33, 40, 3]],
  ['resnext50-32x4d', { width: 16, layers: [1, 1, 1, 1] }, [33, 33, 3]],
  ['fcn-resnet18', { width: 4, layers: [1, 1, 1, 1] }, [17, 24, 3]],
  ['deeplabv3-resnet50', { width: 4, layers: [1, 1, 1, 1], rates: [2, 3] }, [24, 17, 3]],
  ['deeplabv3-resnet50', { width: 4, layers: [1, 1, 1, 1], rates: [2], variant: 'mmsegmentation' }, [17, 24, 3]],
  ['cnn', { depth: 4, width: 2 }],
  ['dni-cnn', { width: 2 }, [27, 30, 3]],
  ['vgg8b', { width: 2, hidden: 8, activation: 'leakyRelu' }],
  ['densenet-bc-10-4', {}],
  ['wide-resnet-10-1', {}],
  ['vit', { width: 8, heads: 2, depth: 2, patch: 8, patchNorm: true }],
];
for (const [name, options, inputShape = image] of networks) {
  describeBackbone(name, () => backboneFactory(name, options), { inputShape });
}
