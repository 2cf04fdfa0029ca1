export { type AugLocalOptions, auglocal } from './auglocal.js';
export { auxiliaryDepth, selectLayers } from './selection.js';
