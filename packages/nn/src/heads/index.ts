export type { LossFunction, LossResult } from '../losses/loss-function.js';
export type { PixelCrossEntropyOptions } from '../losses/pixel-cross-entropy.js';
export { type BlockHeadOptions, blockHead } from './block-head.js';
export { chainedHead } from './chained-head.js';
export { type ClassifierOptions, createClassifier } from './classifier.js';
export { combinedHead, type HeadTerm, headOfTerms } from './combined-head.js';
export {
  type DecoderOptions,
  featureDecoder,
  hpffImageNetDecoder,
  imageNetDecoder,
  pixelDecoder,
  segmentationDecoder,
} from './decoder.js';
export { HeadLayers } from './head-layers.js';
export { type HeadFactoryOptions, headFactory, headNames, type NamedHeadFactory } from './named-heads.js';
export { withOutputHead } from './output-head.js';
export { type PatchedHeadOptions, patchedHead } from './patched-head.js';
export { declarePooledEvaluation, type PooledEvaluation, pooledEvaluationOf } from './pooled-evaluation.js';
export { type SynthesisCondition, type SynthesizingHeadOptions, synthesizingHead } from './synthesizing-head.js';
export {
  meanSquaredErrorHead,
  type PixelHeadOptions,
  pixelCrossEntropyHead,
  type RegressionHeadOptions,
} from './target-heads.js';
