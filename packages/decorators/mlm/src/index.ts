export type { LossWeight } from './loss-weight.js';
export { type MlmOptions, mlm, mlmOptionNames, withMlm } from './mlm.js';
