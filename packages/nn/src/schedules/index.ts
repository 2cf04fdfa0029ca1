export {
  type CosineOptions,
  constantRate,
  cosine,
  createSchedule,
  type EpochCosineOptions,
  epochCosine,
  type StepDecayOptions,
  scheduleNames,
  stepDecay,
} from './schedule.js';
