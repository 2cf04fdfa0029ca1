export { type LayersModelFile, readLayersModel } from './read-layers-model.js';
