export { type DenseNetBcOptions, denseNetBc } from './densenet.js';
export { type DglCnnOptions, type DniCnnOptions, dglCnn, dniCnn } from './dgl-networks.js';
export { type DeepLabV3Options, type DilatedResNetOptions, deepLabV3, fcnResNet } from './dilated-resnet.js';
export { type ImageNetResNetOptions, imageNetResNet } from './imagenet-resnet.js';
export { type LocalLossVggOptions, localLossVgg } from './local-loss-vgg.js';
export { type MlpOptions, mlp } from './mlp.js';
export {
  backboneFactory,
  backboneNames,
  type NamedBackboneOptions,
  type NamedBackbones,
  namedBackbones,
} from './registry.js';
export { type CifarResNetOptions, cifarResNet } from './resnet.js';
export { type PartitionTable, partitionTables, publishedPartition } from './tables.js';
export { type TinyNetOptions, tinyNet } from './tiny-net.js';
export { type VggOptions, vgg } from './vgg.js';
export { type VisionTransformerOptions, visionTransformer } from './vision-transformer.js';
export * from './weights/index.js';
export { type WideResNetOptions, wideResNet } from './wide-resnet.js';
