export { type BackboneSuiteOptions, describeBackbone } from './describe-backbone.js';
export { type DecoratorSuiteOptions, describeDecorator } from './describe-decorator.js';
export { describeMethod, type MethodSuiteOptions } from './describe-method.js';
