export { poolingWindow, type Window } from './decoder-pooling.js';
export type { LocalErrorOptions } from './local-error-head.js';
export { type PredsimOptions, predsim } from './predsim.js';
export { similarityMatching } from './similarity-matching.js';
