export {
  type CosineOptions,
  constantRate,
  cosine,
  createSchedule,
  type EpochCosineOptions,
  epochCosine,
  type PolynomialOptions,
  polynomial,
  type StepDecayOptions,
  scheduleNames,
  stepDecay,
} from './schedule.js';
