import type { Catalog } from '@localgrad/catalog';
import { type Optimizer, parseExpression, type Schedule } from '@localgrad/core';
import { clipped } from '@localgrad/nn/optimizers';
import { configError } from './config-error.js';
import { type RunConfig, runConfigSchema } from './run-config.js';

const ofSgd = ['momentum', 'nesterov', 'weightDecay'] as const;

/** The keys that determine the optimizer. */
export type OptimizerConfig = Pick<RunConfig, 'optimizer' | 'learningRate' | (typeof ofSgd)[number]> &
  Partial<Pick<RunConfig, 'clipNorm'>>;

/** The optimizer of a config, clipped if it has `clipNorm`. @throws LocalgradError `invalid-option`, `unknown-name` */
export function optimizerOf(config: OptimizerConfig, catalog: Catalog): Optimizer {
  const { clipNorm } = config;
  const optimizer = unclippedOptimizer(config, catalog);
  return clipNorm === undefined ? optimizer : clipped(optimizer, { norm: clipNorm });
}

/**
 * The optimizer of a config. The keys `momentum`, `nesterov` and `weightDecay` belong to `sgd`, whose expression may
 * override their defaults; other optimizers take options in their expression only.
 *
 * @throws LocalgradError `invalid-option`, `unknown-name`
 */
function unclippedOptimizer(config: OptimizerConfig, catalog: Catalog): Optimizer {
  const { optimizer, learningRate } = config;
  const { name, options } = parseExpression(optimizer, 'optimizer');
  const given = ofSgd.filter((key) => config[key] !== runDefaults[key]);
  const isOwn = (key: string) => Object.hasOwn(options, key);
  const refused = given.find((key) => !isSgd(name) || isOwn(key));
  if (refused !== undefined) {
    throw configError(
      refused,
      isSgd(name)
        ? `also set in the optimizer '${optimizer}'; remove one of them.`
        : `belongs to optimizer 'sgd' and has no effect on '${name}'.${otherPlace(name, refused, config, catalog)}`,
    );
  }
  if (!isSgd(name)) return catalog.optimizer(optimizer, { learningRate });
  const momentum = isOwn('momentum') ? options.momentum : config.momentum;
  const nesterov = config.nesterov && Number(momentum) > 0;
  const own = { momentum: config.momentum, nesterov, weightDecay: config.weightDecay };
  const more = Object.fromEntries(Object.entries(own).filter(([key]) => !isOwn(key)));
  return catalog.optimizer(optimizer, { learningRate, ...more });
}

/** Where an option of an optimizer other than `sgd` is set, unless the optimizer does not have it. */
function otherPlace(name: string, key: (typeof ofSgd)[number], config: OptimizerConfig, catalog: Catalog): string {
  const options = catalog.entry('optimizers', name)?.options;
  if (options?.includes(key) === false) return ` Options of '${name}': ${options.join(', ')}.`;
  return ` Options of '${name}' go into its expression: "${name}(${key}: ${config[key]})".`;
}

/** Whether a key is an option of `sgd`, but the config has another optimizer. */
export function isOfOtherOptimizer(key: string, { optimizer }: Pick<RunConfig, 'optimizer'>): boolean {
  return (ofSgd as readonly string[]).includes(key) && !isSgd(parseExpression(optimizer, 'optimizer').name);
}

function isSgd(name: string): boolean {
  return name === runConfigSchema.shape.optimizer.parse(undefined);
}

/** The learning-rate schedule of a config. @throws LocalgradError `invalid-option`, `unknown-name` */
export function scheduleOf({ schedule, learningRate, warmup }: RunConfig, catalog: Catalog): Schedule {
  const { name } = parseExpression(schedule, 'schedule');
  const takesWarmup = (other: string) => catalog.entry('schedules', other)?.options?.includes('warmup') ?? true;
  if (warmup !== undefined && !takesWarmup(name)) {
    const others = catalog.names('schedules').filter(takesWarmup);
    throw configError('warmup', `schedule '${name}' has no warm-up; allowed with: ${others.join(', ')}.`);
  }
  return catalog.schedule(schedule, { learningRate, warmup });
}

/** A config with every default. */
export const runDefaults = runConfigSchema.parse({});
