export { flatten, relu, sigmoid } from './blocks/activations.js';
export { type BatchNormOptions, batchNorm } from './blocks/batch-norm.js';
export { type Conv2dOptions, conv2d } from './blocks/conv2d.js';
export { type DenseOptions, dense } from './blocks/dense.js';
export { type DepthwiseConv2dOptions, depthwiseConv2d } from './blocks/depthwise-conv2d.js';
export { type DropoutOptions, dropout, stochasticDepth } from './blocks/dropout.js';
export { globalAveragePool } from './blocks/global-average-pool.js';
export { type GroupNormOptions, groupNorm } from './blocks/group-norm.js';
export { leakyRelu } from './blocks/leaky-relu.js';
export { Ledger } from './blocks/ledger.js';
export { parallelSum } from './blocks/parallel-sum.js';
export { type ParameterlessOptions, parameterless } from './blocks/parameterless.js';
export { evaluationPass, TrainingPass } from './blocks/pass.js';
export { adaptiveAveragePool, averagePool, bilinearUpsample, type MaxPoolOptions, maxPool } from './blocks/pooling.js';
export {
  type BasicBlockOptions,
  type BottleneckOptions,
  basicBlock,
  bottleneck,
  type ConvBatchNormReluOptions,
  convBatchNormRelu,
} from './blocks/residual-blocks.js';
export { type AxisMap, separableMap } from './blocks/separable-map.js';
export { sequential } from './blocks/sequential.js';
export { withStatisticsUpdates } from './blocks/statistics-updates.js';
export { type CreateTargets, costOf, headCostOf, multiplyAccumulatesOf } from './cost/cost-of.js';
export { type BlockHeadOptions, blockHead } from './heads/block-head.js';
export { chainedHead } from './heads/chained-head.js';
export { type ClassifierOptions, createClassifier } from './heads/classifier.js';
export { combinedHead, type HeadTerm } from './heads/combined-head.js';
export { type DecoderOptions, pixelDecoder } from './heads/decoder.js';
export { HeadLayers } from './heads/head-layers.js';
export { type HeadFactoryOptions, headFactory, headNames, type NamedHeadFactory } from './heads/named-heads.js';
export { withOutputHead } from './heads/output-head.js';
export {
  meanSquaredErrorHead,
  type PixelHeadOptions,
  pixelCrossEntropyHead,
  type RegressionHeadOptions,
} from './heads/target-heads.js';
export { classificationMetrics } from './losses/classification-metrics.js';
export type { LossFunction, LossResult } from './losses/loss-function.js';
export { binaryCrossEntropy, meanSquaredError } from './losses/pixel-losses.js';
export { pixelCrossEntropy, softmaxCrossEntropy } from './losses/softmax-cross-entropy.js';
export { type SupervisedContrastiveOptions, supervisedContrastive } from './losses/supervised-contrastive.js';
export { requireTarget } from './losses/targets.js';
export { type AdamOptions, adam, adamw } from './optimization/adam.js';
export { createOptimizer, optimizerNames } from './optimization/create-optimizer.js';
export type { ParameterOptions, ParameterRule } from './optimization/parameter-rules.js';
export {
  type CosineOptions,
  constantRate,
  cosine,
  createSchedule,
  epochCosine,
  type StepDecayOptions,
  scheduleNames,
  stepDecay,
} from './optimization/schedule.js';
export { type SgdOptions, sgd } from './optimization/sgd.js';
export { frozenScope } from './random/frozen-scope.js';
export { constant, heNormalFanOut, ones, uniformFanIn, zeros } from './random/initializers.js';
export { noiseMask, noiseRandom } from './random/noise.js';
export { createRandom, type Random, type RandomState, restoreRandom } from './random/random.js';
export { createScope, type RootScope } from './random/scope.js';
export {
  activationFromPyTorch,
  activationToPyTorch,
  type Layouted,
  weightFromPyTorch,
  weightToPyTorch,
} from './serialization/pytorch.js';
export { readSafetensors, type TensorFile, writeSafetensors } from './serialization/safetensors.js';
export type { StoredTensor, StoredType } from './serialization/stored-types.js';
export { type TapeBlockOptions, type TapeOutput, tapeBlock } from './tape/tape-block.js';
export { type TapeHeadContext, type TapeHeadOptions, type TapeLoss, tapeHead } from './tape/tape-head.js';
export type { ParameterDeclaration, TapeContext, TapeParameterOptions } from './tape/tape-parameters.js';
