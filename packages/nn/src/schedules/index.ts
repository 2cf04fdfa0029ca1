export {
  type CosineOptions,
  constantRate,
  cosine,
  createSchedule,
  epochCosine,
  type StepDecayOptions,
  scheduleNames,
  stepDecay,
} from './schedule.js';
