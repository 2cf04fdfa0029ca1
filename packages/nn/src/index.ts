export { flatten, relu, sigmoid } from './blocks/activations.js';
export { dense, type DenseOptions } from './blocks/dense.js';
export { globalAveragePool } from './blocks/global-average-pool.js';
export { Ledger } from './blocks/ledger.js';
export { parameterless, type ParameterlessOptions } from './blocks/parameterless.js';
export { evaluationPass, TrainingPass } from './blocks/pass.js';
export {
  basicBlock,
  type BasicBlockOptions,
  bottleneck,
  type BottleneckOptions,
  convBatchNormRelu,
  type ConvBatchNormReluOptions,
} from './blocks/residual-blocks.js';
export { sequential } from './blocks/sequential.js';
export { blockHead, type BlockHeadOptions } from './heads/block-head.js';
export { type ClassifierOptions, createClassifier } from './heads/classifier.js';
export { currentKernels, registerTrainingKernels, resetTrainingKernels } from './kernels/registry.js';
export { stockKernels } from './kernels/stock-kernels.js';
export type {
  BatchNormGradient,
  BatchNormGradientRequest,
  BatchStatistics,
  ConvolutionGeometry,
  Normalisation,
  SgdUpdateRequest,
  TrainingKernels,
} from './kernels/training-kernels.js';
export type { LossFunction, LossResult } from './losses/loss-function.js';
export { softmaxCrossEntropy } from './losses/softmax-cross-entropy.js';
export type { Optimizer } from './optimisation/optimizer.js';
export { sgd, type SgdOptions } from './optimisation/sgd.js';
export { constant, heNormalFanOut, ones, uniformFanIn, zeros } from './random/initializers.js';
export { createRandom, type Random, type RandomState, restoreRandom } from './random/random.js';
export { createScope, type RootScope } from './random/scope.js';
