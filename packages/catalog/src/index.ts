export { createMethod, decoratorNames, methodFromConfig, methodNames } from './methods.js';
