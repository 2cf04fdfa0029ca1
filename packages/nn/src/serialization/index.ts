export { type LayersModelFiles, saveLayersModel } from './layers-model.js';
export {
  activationFromPyTorch,
  activationToPyTorch,
  type Layouted,
  weightFromPyTorch,
  weightShapeInPyTorch,
  weightToPyTorch,
} from './pytorch.js';
export { readSafetensors, type TensorFile, writeSafetensors } from './safetensors.js';
export type { StoredTensor, StoredType } from './stored-types.js';
