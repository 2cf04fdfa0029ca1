export { flatten, relu, sigmoid } from './activations.js';
export { type BatchNormOptions, batchNorm } from './batch-norm.js';
export { type Conv2dOptions, conv2d } from './conv2d.js';
export { type DenseOptions, dense } from './dense.js';
export { type DepthwiseConv2dOptions, depthwiseConv2d } from './depthwise-conv2d.js';
export { type DropoutOptions, dropout, stochasticDepth } from './dropout.js';
export { globalAveragePool } from './global-average-pool.js';
export { type GroupNormOptions, groupNorm } from './group-norm.js';
export { Ledger } from './ledger.js';
export { parallelSum } from './parallel-sum.js';
export { type ParameterlessOptions, parameterless } from './parameterless.js';
export { evaluationPass, TrainingPass } from './pass.js';
export { adaptiveAveragePool, averagePool, bilinearUpsample, type MaxPoolOptions, maxPool } from './pooling.js';
export {
  type BasicBlockOptions,
  type BottleneckOptions,
  basicBlock,
  bottleneck,
  type ConvBatchNormReluOptions,
  convBatchNormRelu,
} from './residual-blocks.js';
export { type AxisMap, separableMap } from './separable-map.js';
export { sequential } from './sequential.js';
export { withStatisticsUpdates } from './statistics-updates.js';
