import { LocalgradError, shown } from '@localgrad/core';
import { configError } from './config-error.js';
import type { RunConfig } from './run-config.js';

interface Origin {
  /** Config key from which an option of a library function is taken. */
  readonly key: keyof RunConfig;
  /** The allowed values, in words. */
  readonly of?: string;
  /** Whether the option comes from this key even if the config does not set it. */
  readonly isRequired?: boolean;
}

/** By `where` and `option` in the details of an error about an option. */
const origins: ReadonlyMap<string, Origin> = new Map<string, Origin>([
  ['padTo size', { key: 'pad', of: 'since images cannot become smaller' }],
  ['resizeTo size', { key: 'resize' }],
  ['cifarResNet width', { key: 'width' }],
  ['cifarResNet depth', { key: 'backbone', of: 'the number after resnet' }],
  ['imageNetResNet width', { key: 'width' }],
  ['vgg width', { key: 'width' }],
  ['localLossVgg width', { key: 'width' }],
  ['visionTransformer width', { key: 'width' }],
  ['tinyNet width', { key: 'width' }],
  ['partition modules', { key: 'modules' }],
  ['partition sizes', { key: 'partition' }],
  ['plan labelSmoothing', { key: 'labelSmoothing' }],
  ['plan gradientDelay', { key: 'gradientDelay' }],
  ['plan gradientDelay cuts', { key: 'gradientDelayCuts' }],
  ['pipeline workers', { key: 'workers' }],
  ['train metric', { key: 'metric' }],
  ['startWasm threads', { key: 'threads' }],
  ['data set train images', { key: 'trainImages', of: 'the number of images in the data set' }],
  ['data set test images', { key: 'testImages', of: 'the number of images in the data set' }],
  ['data set folder', { key: 'dataFolder', isRequired: true }],
]);

/** Runs `body` with a config, and translates errors about options of library functions into errors about config keys. */
export async function inTermsOfKeys<Result>(
  config: Partial<RunConfig>,
  act: () => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    throw keyErrorOf(error, config) ?? error;
  }
}

/** Translates an error about an option into one about its config key; undefined for other errors. */
export function keyErrorOf(error: unknown, config: Partial<RunConfig>): LocalgradError | undefined {
  if (!LocalgradError.isInstance(error) || error.code !== 'invalid-option') return undefined;
  const { where, option, allowed, problem } = error.details;
  if (typeof where !== 'string') return undefined;
  const origin = origins.get(`${where.replace(/^data set .*/, 'data set')} ${option}`);
  if (origin === undefined) return undefined;
  const { of, isRequired = false } = origin;
  // A placement says how many workers there are.
  const key = origin.key === 'workers' && config.placement !== undefined ? 'placement' : origin.key;
  // Without the key, the option was part of an expression.
  if (config[key] === undefined && !isRequired) return undefined;
  if (typeof problem === 'string') {
    return configError(key, problem, { code: error.code, cause: error, mentions: ['clipNorm'] });
  }
  const value = config[key];
  const found = key === 'resize' && Array.isArray(value) ? value.join('x') : valueText(value);
  const parts = [`${found}; allowed: ${allowed}`, of].filter((part) => part !== undefined);
  return configError(key, `${parts.join(', ')}.`, { code: error.code, cause: error });
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? shown(value) : value === undefined ? 'not given' : String(value);
}
