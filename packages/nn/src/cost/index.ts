export {
  type CreateTargets,
  costOf,
  headCostOf,
  measuredBlockCost,
  measuredHeadCost,
  multiplyAccumulatesOf,
} from './cost-of.js';
export { vjpPeakOf } from './vjp-peaks.js';
