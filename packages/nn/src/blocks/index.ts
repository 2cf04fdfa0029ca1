export { flatten, leakyRelu, relu, sigmoid } from './activations.js';
export { type AttentionOptions, attention } from './attention.js';
export { type BatchNormOptions, batchNorm } from './batch-norm.js';
export { type ClassTokenOptions, classToken, firstToken, patchTokens } from './class-token.js';
export { type Conv2dOptions, conv2d } from './conv2d.js';
export type { ConvolutionOptions } from './convolution-block.js';
export type { ConvolutionWindowOptions } from './convolution-window.js';
export { type DenseOptions, dense, positionwiseDense } from './dense.js';
export { type DepthwiseConv2dOptions, depthwiseConv2d } from './depthwise-conv2d.js';
export { type DropoutOptions, dropout, stochasticDepth } from './dropout.js';
export { flattenChannelsFirst } from './flatten-channels-first.js';
export { gelu } from './gelu.js';
export { globalAveragePool } from './global-average-pool.js';
export { type GroupNormOptions, groupNorm } from './group-norm.js';
export { type LayerNormOptions, layerNorm } from './layer-norm.js';
export { Ledger } from './ledger.js';
export { type NormReluConvolutionOptions, normReluConvolution } from './norm-relu-convolution.js';
export { parallelConcatenation } from './parallel-concatenation.js';
export { parallelSum } from './parallel-sum.js';
export { type ParameterlessOptions, parameterless } from './parameterless.js';
export { evaluationPass, TrainingPass } from './pass.js';
export {
  adaptiveAveragePool,
  averagePool,
  type BilinearOptions,
  bilinearUpsample,
  type MaxPoolOptions,
  maxPool,
} from './pooling.js';
export {
  type BasicBlockOptions,
  type BottleneckOptions,
  basicBlock,
  bottleneck,
  type ConvBatchNormReluOptions,
  convBatchNormRelu,
} from './residual-blocks.js';
export { scaledSum } from './scaled-sum.js';
export { type AxisMap, separableMap } from './separable-map.js';
export { sequential } from './sequential.js';
export { concatenation, residual } from './shortcut.js';
export { withStatisticsUpdates } from './statistics-updates.js';
export type { VjpReads } from './vjp-reads.js';
export { type VjpOfMeans, vjpOfMeansOf } from './window-means.js';
