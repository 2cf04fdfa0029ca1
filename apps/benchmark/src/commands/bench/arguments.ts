import { LocalgradError } from '@localgrad/core';
import { configProblemOf } from '@localgrad/runs';
import { type Command, InvalidArgumentError, Option } from 'commander';

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('Allowed: integers ≥ 1.');
  return value;
}

export function wholeNumbers(text: string): number[] {
  return text.split(/[\s,]+/).map(wholeNumber);
}

/** Flag for gradient accumulation in the measured steps. */
export function addAccumulateFlag(command: Command): Command {
  const flag = new Option('--accumulate <number>', 'micro-batches per step (gradient accumulation)');
  return command.addOption(flag.argParser(wholeNumber).default(1));
}

/** `512MiB`, `4 GB`, `1e9` */
export function byteCount(text: string): number {
  const [, number, prefix = '', binary] = /^\s*([\d.]+(?:e\d+)?)\s*([KMGT]?)(i?)B?\s*$/i.exec(text) ?? [];
  const power = ['', 'K', 'M', 'G', 'T'].indexOf(prefix.toUpperCase());
  const bytes = Number(number) * (binary === '' ? 1000 : 1024) ** power;
  if (!(bytes >= 1)) throw new InvalidArgumentError('Allowed: numbers of bytes such as 512MiB, 4GiB or 1e9.');
  return Math.floor(bytes);
}

/** Runs a benchmark whose flag sets several values of a config key; errors about the key name the flag. @throws LocalgradError */
export async function withFlagOf<Result>(key: string, flag: string, measure: () => Promise<Result>): Promise<Result> {
  try {
    return await measure();
  } catch (error) {
    const found = configProblemOf(error);
    if (found?.key !== key || !LocalgradError.isInstance(error)) throw error;
    throw new LocalgradError(error.code, `${flag}: ${found.problem}`, { key, flag }, { cause: error });
  }
}
