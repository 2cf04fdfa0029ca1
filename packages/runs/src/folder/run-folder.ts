import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { parse } from 'yaml';
import { z } from 'zod';
import { readIfThere } from './files.js';
import { OwnedFolder, type Recognition } from './owned-folder.js';

/** Files and subfolders of a run's folder. */
export const runFiles = {
  config: 'config.yaml',
  identity: 'identity.json',
  environment: 'environment.json',
  metrics: 'metrics.jsonl',
  weights: 'weights.safetensors',
  summary: 'summary.json',
  stopped: 'stopped.json',
  damagedSummary: 'summary.damaged.json',
  checkpoints: 'checkpoints/',
  claims: 'claims/',
  tensorboard: 'tensorboard/',
  epochs: 'epochs.csv',
  mlflow: 'mlflow.json',
} as const;

/** Names that every attempt writes. Those of trackers are recorded when one is opened. */
export const everyRunFiles: readonly string[] = [
  runFiles.config,
  runFiles.identity,
  runFiles.environment,
  runFiles.metrics,
  runFiles.weights,
  runFiles.summary,
  runFiles.stopped,
  runFiles.damagedSummary,
  runFiles.checkpoints,
  runFiles.claims,
];

/** The part of a run's resolved config that every version wrote; enough to recognize one. */
const resolvedConfig = z.looseObject({
  method: z.string(),
  backbone: z.string(),
  dataset: z.string(),
  epochs: z.int(),
  seed: z.int(),
});

/** @throws LocalgradError `invalid-option` if the folder is neither a run folder nor free; writes nothing */
export function inspectRunFolder(folder: string, option?: string): Promise<OwnedFolder> {
  return OwnedFolder.inspect(folder, { kind: 'run', option, recognize });
}

/** The resolved config that a run folder was made for; undefined before its first attempt. */
export async function readRunConfig(folder: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  const text = await readIfThere(join(folder, runFiles.config));
  if (text === undefined) return undefined;
  const config = parsedConfig(text);
  if (config !== undefined) return config;
  throw new LocalgradError(
    'invalid-data',
    `'${join(folder, runFiles.config)}' is not the config of a localgrad run: it was damaged or replaced. Restore it, or choose another folder.`,
    { folder },
  );
}

function parsedConfig(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return resolvedConfig.safeParse(parse(text, { maxAliasCount: 0, logLevel: 'silent' })).data;
  } catch {
    return undefined;
  }
}

/** Runs of versions that wrote no marker: by their config, or by claims alone, which may come before the config. */
async function recognize(folder: string, names: readonly string[]): Promise<Recognition> {
  const known = new Map(Object.values(runFiles).map((entry) => [entry.replace(/\/$/, ''), entry]));
  const files = names.flatMap((name) => known.get(name) ?? []);
  const text = await readIfThere(join(folder, runFiles.config)).catch(() => '');
  if (text === undefined) return names.every((name) => name === 'claims') ? { files } : {};
  return parsedConfig(text) === undefined
    ? { reason: `Its '${runFiles.config}' is not the config of a localgrad run.` }
    : { files };
}
