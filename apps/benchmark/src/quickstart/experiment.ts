import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { type Experiment, parseExperiment } from '@localgrad/experiments';
import { runConfigSchema } from '@localgrad/runs';

/** Keys of the experiment file that the command can override. */
export interface QuickstartSettings {
  readonly seeds: number;
  readonly epochs: number;
  readonly backend: string;
  readonly threads: number | 'auto';
  /** Default true. */
  readonly relaxedSimd?: boolean;
  /** Number of images. Default: all. */
  readonly trainImages?: number;
  readonly testImages?: number;
}

/** Reads the experiment file that this package ships, with some of its keys replaced. */
export async function quickstartExperiment(settings: QuickstartSettings): Promise<Experiment> {
  const file = join(dirname(createRequire(import.meta.url).resolve('localgrad/package.json')), 'quickstart.yaml');
  const { seeds, epochs, backend, threads, relaxedSimd = true, trainImages, testImages } = settings;
  let source = await readFile(file, 'utf8');
  for (const [key, value] of Object.entries({ seeds, epochs, backend, threads }))
    source = withValue(source, key, String(value));
  const more = Object.entries({ trainImages, testImages, ...(relaxedSimd ? {} : { relaxedSimd }) });
  const lines = more.flatMap(([key, value]) => (value === undefined ? [] : [`  ${key}: ${value}\n`]));
  source = source.replace(/^base:\n/m, (line) => line + lines.join(''));
  return parseExperiment(source, 'quickstart.yaml', { schema: runConfigSchema });
}

/** Replaces the value of a key that has a line of its own, if it differs. */
function withValue(source: string, key: string, value: string): string {
  const line = new RegExp(`^( *${key}: )(\\S+)(.*)$`, 'm');
  const [, , before] = line.exec(source) ?? [];
  if (before === undefined) throw new LocalgradError('misuse', `quickstart.yaml has no line for '${key}'.`);
  return before === value
    ? source
    : source.replace(line, (_, name: string) => name + JSON.stringify(value).slice(1, -1));
}
