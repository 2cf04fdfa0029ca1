import { stockKernels } from './stock-kernels.js';
import type { TrainingKernels } from './training-kernels.js';

export type Operation = Exclude<keyof TrainingKernels, 'name' | 'recorder'>;

/** The operations of the contract, including optional ones. */
export const operations = Object.keys({
  conv2d: true,
  conv2dInputGradient: true,
  conv2dInputGradientInPlace: true,
  conv2dFilterGradient: true,
  conv2dStatistics: true,
  conv2dActivatedFilterGradient: true,
  depthwiseConv2d: true,
  depthwiseConv2dInputGradient: true,
  depthwiseConv2dFilterGradient: true,
  groupedConv2d: true,
  groupedConv2dInputGradient: true,
  groupedConv2dFilterGradient: true,
  batchStatistics: true,
  batchNormApply: true,
  batchNormForward: true,
  batchNormGradient: true,
  pooledBatchNormGradient: true,
  groupNorm: true,
  groupNormGradient: true,
  attention: true,
  attentionGradient: true,
  gelu: true,
  geluGradient: true,
  accumulate: true,
  matMul: true,
  mapAxis: true,
  reluGradient: true,
  globalAveragePool: true,
  globalAveragePoolGradient: true,
  maxPool: true,
  maxPoolGradient: true,
  averagePool: true,
  averagePoolGradient: true,
  softmaxCrossEntropy: true,
  binaryCrossEntropy: true,
  clipAll: true,
  sgdUpdateAll: true,
  adamUpdateAll: true,
  blendAll: true,
} satisfies Record<Operation, true>) as readonly Operation[];

/** The operations that `kernels` takes from the stock reference. A missing optional operation is composed from others. */
export function stockOperations(kernels: TrainingKernels): Operation[] {
  return operations.filter((name) => kernels[name] !== undefined && kernels[name] === stockKernels[name]);
}
