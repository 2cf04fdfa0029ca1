export { type BootstrapInterval, type BootstrapOptions, bootstrapInterval } from './bootstrap-interval.js';
export { type EffectSize, hedgesG } from './hedges-g.js';
export { holm } from './holm.js';
export { type MeanInterval, meanInterval } from './mean-interval.js';
export { pairedTest } from './paired-test.js';
export { type Interval, roundedDifference } from './sample.js';
export { type DifferenceTest, untested, welchTest } from './welch-test.js';
