export { type InfoProOptions, infopro } from './infopro.js';
export { type InfoProWeights, presetNames, presetWeights } from './presets.js';
