export { type InfoProOptions, infoProOptionNames, infopro } from './infopro.js';
export { type InfoProWeights, presetNames, presetWeights } from './presets.js';
