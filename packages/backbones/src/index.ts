export { type MlpOptions, mlp } from './mlp.js';
export { backboneFactory, backboneNames, type NamedBackboneOptions } from './registry.js';
export { type CifarResNetOptions, cifarResNet } from './resnet.js';
export { type PartitionTable, publishedPartition } from './tables.js';
export { type TinyNetOptions, tinyNet } from './tiny-net.js';
export * from './weights/index.js';
