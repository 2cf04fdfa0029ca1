export { lam, withLam } from './lam.js';
export { ruleChain } from './leap-rule.js';
export { type LeapTable, publishedChains } from './leap-tables.js';
export { type LamOptions, type LamTarget, lamOptionNames } from './options.js';
