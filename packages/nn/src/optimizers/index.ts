export { type AdamOptions, adam, adamw } from './adam.js';
export { type ClippingOptions, clipped } from './clipped.js';
export { createOptimizer, optimizerNames } from './create-optimizer.js';
export type { ParameterOptions, ParameterRule } from './parameter-rules.js';
export { type SgdOptions, sgd } from './sgd.js';
