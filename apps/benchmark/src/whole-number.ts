import { InvalidArgumentError } from 'commander';

/** A flag's value that has to be a whole number from 1 on. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError(`It must be a whole number from 1 on, not '${text}'.`);
  return value;
}

/** More than any machine has, and few enough to be rejected before anything starts. */
const most = 1024;

/** A flag's value that has to be a number of threads or processes. */
export function parallelCount(text: string): number {
  const value = wholeNumber(text);
  if (value > most) throw new InvalidArgumentError(`It must be at most ${most}, not '${text}'.`);
  return value;
}

/** A flag's value that has to be a number of threads, or `auto`. */
export function threadCountOrAuto(text: string): number | 'auto' {
  return text === 'auto' ? text : parallelCount(text);
}
