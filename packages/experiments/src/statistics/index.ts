export { type AverageEffect, averageEffects } from './average-effects.js';
export { type BootstrapInterval, type BootstrapOptions, bootstrapInterval } from './bootstrap-interval.js';
export {
  type AccuracyMeasure,
  type ConditionComparison,
  compareConditions,
  comparePairs,
  type StudyComparisons,
} from './compare-conditions.js';
export { type EffectSize, hedgesG } from './hedges-g.js';
export { holm } from './holm.js';
export { type MeanInterval, meanInterval } from './mean-interval.js';
export { pairedTest } from './paired-test.js';
export type { Interval } from './sample.js';
export { type DifferenceTest, welchTest } from './welch-test.js';
