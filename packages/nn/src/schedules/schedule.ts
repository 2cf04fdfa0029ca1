import { type JsonObject, rejectUnknownKeys, requireOption, type Schedule, unknownName } from '@localgrad/core';

/** A constant learning rate. */
export function constantRate(options: { readonly learningRate: number }): Schedule {
  rejectUnknownKeys('constantRate', options, ['learningRate']);
  const { learningRate } = options;
  requireRate('constantRate', learningRate);
  return { config: { schedule: 'constant', learningRate }, rate: () => learningRate };
}

/** Options of `epochCosine`. */
export interface EpochCosineOptions {
  /** Peak learning rate. */
  readonly learningRate: number;
  /** Epochs over which the rate is blended in: 10 (default) on small images, 0 on ImageNet. */
  readonly warmupEpochs?: number;
}

/**
 * Half-period cosine decay over the epochs, blended in linearly from 0.01 over the first W = `warmupEpochs` (InfoPro and its
 * descendants): c(e) = lr/2·(1 + cos(π·e/E)); rate = c(e) for e > W, else c(e)·(e − 1)/W + 0.01·(W + 1 − e)/W.
 * The last epoch's rate is 0. With W = 0 the rate is c(e − 1).
 */
export function epochCosine(options: EpochCosineOptions): Schedule {
  rejectUnknownKeys('epochCosine', options, ['learningRate', 'warmupEpochs']);
  const { learningRate, warmupEpochs: warm = 10 } = options;
  requireRate('epochCosine', learningRate);
  const isCount = Number.isInteger(warm) && warm >= 0;
  requireOption(isCount, 'epochCosine', 'warmupEpochs', warm, 'whole numbers ≥ 0');
  return {
    config: { schedule: 'epochCosine', learningRate, ...(warm === 10 ? {} : { warmupEpochs: warm }) },
    rate: ({ epoch, epochs }) => {
      if (warm === 0) return halfCosine(learningRate, (epoch - 1) / epochs);
      const cosine = halfCosine(learningRate, epoch / epochs);
      return epoch > warm ? cosine : (cosine * (epoch - 1)) / warm + (0.01 * (warm + 1 - epoch)) / warm;
    },
  };
}

/** Options of `cosine`. */
export interface CosineOptions {
  /** Peak learning rate. */
  readonly learningRate: number;
  /** Fraction of the steps used for linear warm-up; default 0.05. */
  readonly warmup?: number;
}

/** Half-period cosine decay over the steps after a linear warm-up; suited to short runs. */
export function cosine(options: CosineOptions): Schedule {
  rejectUnknownKeys('cosine', options, ['learningRate', 'warmup']);
  const { learningRate, warmup = 0.05 } = options;
  requireRate('cosine', learningRate);
  requireOption(warmup >= 0 && warmup < 1, 'cosine', 'warmup', warmup, 'numbers in [0, 1)');
  return {
    config: { schedule: 'cosine', learningRate, warmup },
    rate: ({ step, steps }) => {
      const warm = Math.round(warmup * steps);
      if (step < warm) return (learningRate * (step + 1)) / warm;
      return halfCosine(learningRate, (step - warm) / Math.max(1, steps - warm));
    },
  };
}

/** Options of `stepDecay`. */
export interface StepDecayOptions {
  /** Learning rate before the first milestone. */
  readonly learningRate: number;
  /** Epochs (from 1) at whose start the rate is multiplied by `factor`; default [80, 120]. */
  readonly milestones?: readonly number[];
  /** Default 0.1. */
  readonly factor?: number;
  /**
   * Number of epochs after which the schedule starts again, e.g. for each module of sequential training; default: never. No
   * milestone may be later.
   */
  readonly period?: number;
}

/** learningRate · factor^(number of milestones reached), of the current period if the schedule repeats. */
export function stepDecay(options: StepDecayOptions): Schedule {
  rejectUnknownKeys('stepDecay', options, ['learningRate', 'milestones', 'factor', 'period']);
  const { learningRate, milestones = [80, 120], factor = 0.1, period } = options;
  requireRate('stepDecay', learningRate);
  requireOption(factor > 0, 'stepDecay', 'factor', factor, 'numbers > 0');
  requireOption(
    Array.isArray(milestones) && milestones.every((epoch) => Number.isInteger(epoch) && epoch > 0),
    'stepDecay',
    'milestones',
    milestones,
    'a list of epochs, from 1',
  );
  const last = Math.max(1, ...milestones);
  const isPeriod = period === undefined || (Number.isInteger(period) && period >= last);
  requireOption(isPeriod, 'stepDecay', 'period', period, `integers from ${last}, the last milestone`);
  return {
    config: {
      ...{ schedule: 'stepDecay', learningRate, milestones: [...milestones], factor },
      ...(period === undefined ? {} : { period }),
    },
    rate: ({ epoch }) => {
      const current = period === undefined ? epoch : ((epoch - 1) % period) + 1;
      return learningRate * factor ** milestones.filter((milestone) => current >= milestone).length;
    },
  };
}

/** Options of `polynomial`. */
export interface PolynomialOptions {
  /** Learning rate of the first step. */
  readonly learningRate: number;
  /** Exponent of the fraction of the steps that is left; default 0.9. */
  readonly power?: number;
  /** Rate that the decay ends with, at most `learningRate`; default 0. */
  readonly end?: number;
}

/**
 * Polynomial decay over the steps (`poly` in DeepLab, Chen et al., TPAMI 2018, and in mmsegmentation, where `end` is `min_lr`):
 * end + (learningRate − end) · (1 − step / steps)^power.
 */
export function polynomial(options: PolynomialOptions): Schedule {
  rejectUnknownKeys('polynomial', options, ['learningRate', 'power', 'end']);
  const { learningRate, power = 0.9, end = 0 } = options;
  requireRate('polynomial', learningRate);
  requireOption(power > 0 && Number.isFinite(power), 'polynomial', 'power', power, 'numbers > 0');
  requireOption(
    end >= 0 && end <= learningRate,
    'polynomial',
    'end',
    end,
    `numbers from 0 to ${learningRate}, the learning rate`,
  );
  return {
    config: { schedule: 'polynomial', learningRate, power, end },
    rate: ({ step, steps }) => end + (learningRate - end) * Math.max(0, 1 - step / steps) ** power,
  };
}

const schedules = new Map<string, (options: never) => Schedule>([
  ['constant', constantRate],
  ['epochCosine', epochCosine],
  ['cosine', cosine],
  ['stepDecay', stepDecay],
  ['polynomial', polynomial],
]);

/** Names that `createSchedule` accepts. */
export const scheduleNames: readonly string[] = [...schedules.keys()];

/** Creates a schedule from its config, e.g. `{ schedule: 'cosine', learningRate: 0.1 }`. @throws LocalgradError */
export function createSchedule(config: JsonObject): Schedule {
  const { schedule, ...options } = config;
  const create = schedules.get(String(schedule));
  if (create === undefined) throw unknownName('schedule', String(schedule), scheduleNames);
  // Each schedule checks its options.
  return create(options as never);
}

function halfCosine(learningRate: number, fraction: number): number {
  return 0.5 * learningRate * (1 + Math.cos(Math.PI * fraction));
}

function requireRate(where: string, learningRate: number): void {
  requireOption(Number.isFinite(learningRate) && learningRate >= 0, where, 'learningRate', learningRate, 'numbers ≥ 0');
}
