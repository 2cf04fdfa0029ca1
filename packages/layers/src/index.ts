export type { NormStatistics } from './blocks/layer-context.js';
export { type FromLayersModelOptions, fromLayersModel, type LayersNetwork } from './from-layers-model.js';
export {
  type LayersBackboneFactory,
  type LayersBackboneOptions,
  type LayersBackboneSource,
  layersBackbone,
} from './layers-backbone.js';
export { trainedLayersModel, writeWeights } from './write-weights.js';
