export { classificationMetrics } from './classification-metrics.js';
export { confusionCounts, confusionMetrics } from './confusion.js';
export { gradientError } from './gradient-error.js';
export type { LossFunction, LossOptions, LossResult } from './loss-function.js';
export { type PixelCrossEntropyOptions, pixelCrossEntropy } from './pixel-cross-entropy.js';
export { binaryCrossEntropy, meanSquaredError } from './pixel-losses.js';
export { softmaxCrossEntropy } from './softmax-cross-entropy.js';
export { type SupervisedContrastiveOptions, supervisedContrastive } from './supervised-contrastive.js';
export { checkTarget, requireTarget } from './targets.js';
