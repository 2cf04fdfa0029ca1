export type { LayersModelFiles } from '@localgrad/nn/serialization';
export { backboneParameters, type WeightsOwner } from './backbone-parameters.js';
export {
  type InputNormalization,
  type WeightsDescription,
  type WeightsExtra,
  weightsDescription,
  weightsExtra,
} from './description.js';
export { layersModelFiles } from './layers-model.js';
export { type LoadedWeights, type LoadWeightsOptions, loadWeights, type WeightsLayout } from './load-weights.js';
export { type ReadBackbone, readBackbone } from './read-backbone.js';
export { backboneName } from './reference-names.js';
export { pytorchFile, weightsFile } from './write-weights.js';
