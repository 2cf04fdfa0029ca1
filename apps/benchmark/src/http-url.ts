import { InvalidArgumentError } from 'commander';

/** Parses the value of a flag that must be an http or https address. */
export function httpUrl(text: string): string {
  if (/^https?:\/\/[^/]/.test(text) && URL.canParse(text)) return text;
  throw new InvalidArgumentError('Allowed: an http or https address, e.g. http://localhost:5000.');
}
