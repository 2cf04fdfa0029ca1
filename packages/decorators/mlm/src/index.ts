export type { LossWeight } from './loss-weight.js';
export { cascadedRole, type MlmOptions, mlm, mlmOptionNames, withMlm } from './mlm.js';
