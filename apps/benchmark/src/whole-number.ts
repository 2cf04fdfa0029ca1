import { InvalidArgumentError } from 'commander';

/** A flag's value that has to be a whole number from 1 on. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError(`It must be a whole number from 1 on, not '${text}'.`);
  return value;
}
