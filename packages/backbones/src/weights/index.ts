export type { LayersModelFiles } from '@localgrad/nn/serialization';
export type { WeightsOwner } from './backbone-parameters.js';
export type { InputNormalization, WeightsDescription, WeightsExtra } from './description.js';
export { layersModelFiles } from './layers-model.js';
export { type LoadedWeights, loadWeights, type WeightsLayout } from './load-weights.js';
export { type ReadBackbone, readBackbone } from './read-backbone.js';
export { backboneName } from './reference-names.js';
export { pytorchFile, weightsFile } from './write-weights.js';
