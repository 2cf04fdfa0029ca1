export { type SetupOptions, type SetupReport, setUpTensorflow } from './setup-tensorflow.js';
