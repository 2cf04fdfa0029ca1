export { frozenScope } from './frozen-scope.js';
export { constant, heNormalFanOut, normal, ones, truncatedNormal, uniformFanIn, zeros } from './initializers.js';
export { noiseMask, noiseRandom } from './noise.js';
export { createRandom, type Random, type RandomState, restoreRandom } from './random.js';
export { createScope, type RootScope, type ScopeOptions } from './scope.js';
