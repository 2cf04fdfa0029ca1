export { classificationMetrics } from './classification-metrics.js';
export type { LossFunction, LossResult } from './loss-function.js';
export { binaryCrossEntropy, meanSquaredError } from './pixel-losses.js';
export { pixelCrossEntropy, softmaxCrossEntropy } from './softmax-cross-entropy.js';
export { type SupervisedContrastiveOptions, supervisedContrastive } from './supervised-contrastive.js';
export { checkTarget, requireTarget } from './targets.js';
