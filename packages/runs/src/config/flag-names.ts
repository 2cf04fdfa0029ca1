import { LocalgradError, shown } from '@localgrad/core';
import type { RunConfig } from './run-config.js';

/** `learningRate` → `learning-rate` */
export function flagOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

interface Origin {
  /** Key of the config that a library function's option comes from. */
  readonly key: keyof RunConfig;
  /** What the allowed values are. */
  readonly of?: string;
}

/** By `where` and `option` in the details of an error about an option. */
const origins: ReadonlyMap<string, Origin> = new Map<string, Origin>([
  ['createBatches batchSize', { key: 'batch', of: 'the number of training images' }],
  ['padTo size', { key: 'pad', of: 'since images cannot become smaller' }],
  ['resizeTo size', { key: 'resize' }],
  ['augmentation pad', { key: 'augment', of: 'pixels of padding on images of this size' }],
  ['cifarResNet width', { key: 'width' }],
  ['cifarResNet depth', { key: 'backbone', of: 'the number after resnet' }],
  ['tinyNet width', { key: 'width' }],
  ['startWasm threads', { key: 'threads' }],
  ['data set train images', { key: 'trainImages', of: 'the number of images in the data set' }],
  ['data set test images', { key: 'testImages', of: 'the number of images in the data set' }],
  ['data set folder', { key: 'dataFolder' }],
]);

/**
 * Does something with a config. Errors about options of the functions behind it are thrown in the user's words: with the
 * flag (and the key of files), the value and what is allowed.
 */
export async function inFlags<Result>(
  config: Partial<RunConfig>,
  act: () => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    throw LocalgradError.isInstance(error) ? ofFlag(error, config) : error;
  }
}

function ofFlag(error: LocalgradError, config: Partial<RunConfig>): LocalgradError {
  const { where, option, allowed } = error.details;
  if (error.code !== 'invalid-option' || typeof where !== 'string') return error;
  const origin = origins.get(`${where.replace(/^data set .*/, 'data set')} ${option}`);
  if (origin === undefined) return error;
  const { key, of } = origin;
  const flag = flagOf(key);
  const parts = [`--${flag}: ${valueText(config[key])}; allowed: ${allowed}`, of].filter((part) => part !== undefined);
  const message = `${parts.join(', ')}${flag === key ? '' : ` (in files: ${key})`}.`;
  return new LocalgradError(error.code, message, { ...error.details, flag: `--${flag}`, key }, { cause: error });
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? shown(value) : value === undefined ? 'not given' : String(value);
}
