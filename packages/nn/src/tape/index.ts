export { type TapeBlockOptions, type TapeOutput, tapeBlock } from './tape-block.js';
export { type TapeHeadContext, type TapeHeadOptions, type TapeLoss, tapeHead } from './tape-head.js';
export type { ParameterDeclaration, TapeContext, TapeParameterOptions } from './tape-parameters.js';
