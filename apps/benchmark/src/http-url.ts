import { InvalidArgumentError } from 'commander';

/** A flag's value that has to be an http or https address. */
export function httpUrl(text: string): string {
  if (/^https?:\/\/[^/]/.test(text) && URL.canParse(text)) return text;
  throw new InvalidArgumentError('Allowed: an http or https address, e.g. http://localhost:5000.');
}
