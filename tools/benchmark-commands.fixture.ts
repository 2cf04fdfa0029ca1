import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseCsv } from '../packages/bench/src/csv.js';

export const benchmarks = join(import.meta.dirname, '..', 'benchmarks');

/** Rows of `commands.csv`. */
export function readCommands(): readonly Readonly<Record<string, string>>[] {
  return parseCsv(readFileSync(join(benchmarks, 'commands.csv'), 'utf8').replaceAll('\r\n', '\n'));
}

/** Each command once. */
export function knownCommands(): string[] {
  return [...new Set(readCommands().map(({ command = '' }) => command))].filter((command) => command !== '');
}

/**
 * Words and flags of a command line, with flags in the form of config keys and their values, and the command lines that follow
 * it.
 */
export function parseCommand(line: string) {
  const [command = '', ...then] = line.split(' && ');
  const [before = '', ...flags] = command.split(' --');
  const options = flags.map((flag): [string, unknown] => {
    const [name = '', ...rest] = flag.split(' ');
    const key = name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    const text = rest.join(' ').replace(/^"(.*)"$/, '$1');
    if (key === 'partition' && text.includes(',')) return [key, text.split(',').map(Number)];
    if (key === 'resize' && text.includes('x')) return [key, text.split('x').map(Number)];
    if (text === '' && name.startsWith('no-')) return [key.charAt(2).toLowerCase() + key.slice(3), false];
    if (text === '') return [key, true];
    return [key, Number.isFinite(Number(text)) ? Number(text) : text];
  });
  return { words: before.split(' '), options: Object.fromEntries(options), then };
}
