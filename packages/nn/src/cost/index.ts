export { type CreateTargets, costOf, headCostOf, multiplyAccumulatesOf } from './cost-of.js';
