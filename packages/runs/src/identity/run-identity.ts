import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ExternalModule } from '@localgrad/catalog';
import { errorCodeOf, type JsonObject, readProblem } from '@localgrad/core';
import { readWholeFile } from '@localgrad/core/folders';
import { z } from 'zod';
import { configError } from '../config/config-error.js';
import { type NameOptions, resolveNames } from '../config/resolve-names.js';
import type { RunConfig } from '../config/run-config.js';
import { hashOf, sha256 } from '../folder/hash.js';
import { runFiles } from '../folder/run-folder.js';
import { readStateFile } from '../folder/state-file.js';
import type { RunSplits } from '../run-images.js';
import { runSchemaVersion, setKeys, withoutDefaults } from './config-identity.js';
import { fingerprintOf, type ImageFingerprint } from './fingerprint.js';

/** Everything that the result of a run depends on: `identity.json` in its folder. */
export interface RunIdentity {
  readonly formatVersion: 1;
  /** Hash of all other fields. */
  readonly runId: string;
  readonly schemaVersion: number;
  /** The config without defaults and without file locations. */
  readonly config: JsonObject;
  /** Packages and files outside of localgrad that the config names. */
  readonly modules: readonly ExternalModule[];
  readonly training: ImageFingerprint;
  readonly test: ImageFingerprint;
  /** Only of runs that hold out validation images. */
  readonly validation?: ImageFingerprint | undefined;
  /** SHA-256 of the file with initial weights; null without one. */
  readonly initialWeights: string | null;
}

/** Identifies a run by content. @throws LocalgradError where a file that the config names cannot be read */
export async function identifyRun(config: RunConfig, data: RunSplits, names: NameOptions = {}): Promise<RunIdentity> {
  const parts = await partsOf(withoutDefaults(config), { config, data, names });
  return { formatVersion: 1, runId: hashOf(parts), ...parts };
}

/** The ID that earlier versions gave a run; that of `identifyRun` unless the config sets keys without effect. */
export async function earlierRunId(config: RunConfig, data: RunSplits, names: NameOptions = {}): Promise<string> {
  return hashOf(await partsOf(setKeys(config), { config, data, names }));
}

interface Inputs {
  readonly config: RunConfig;
  readonly data: RunSplits;
  readonly names: NameOptions;
}

async function partsOf(
  keys: JsonObject,
  { config, data, names }: Inputs,
): Promise<Omit<RunIdentity, 'formatVersion' | 'runId'>> {
  const { modules } = await resolveNames(config, names);
  // The content of the weights counts, not their path.
  const { initialWeights: _, ...own } = keys;
  return {
    schemaVersion: runSchemaVersion,
    config: own,
    modules,
    training: await fingerprintOf(data.train),
    test: await fingerprintOf(data.test),
    ...(data.validation === undefined ? {} : { validation: await fingerprintOf(data.validation) }),
    initialWeights:
      config.initialWeights === undefined ? null : sha256(await readInitialWeights(config.initialWeights)),
  };
}

/** @throws LocalgradError about the key `initialWeights` */
export async function readInitialWeights(file: string): Promise<Uint8Array> {
  try {
    return await readWholeFile(file);
  } catch (cause) {
    // The folder of a run, which `evaluate` and `weights export` accept.
    const weights = join(file, runFiles.weights);
    const cure = errorCodeOf(cause) === 'EISDIR' && existsSync(weights) ? ` Its weights are in '${weights}'.` : '';
    const problem = `cannot read '${file}': ${readProblem(cause)}.${cure}`;
    throw configError('initialWeights', problem, { code: 'invalid-data', cause });
  }
}

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const fingerprint = z.object({
  images: z.int(),
  shape: z.array(z.int()),
  classes: z.int(),
  pixels: hash,
  labels: hash,
  targets: z.record(z.string(), hash),
});
const schema = z.object({
  formatVersion: z.literal(1),
  runId: z.string().regex(/^[0-9a-f]{12}$/),
  schemaVersion: z.int(),
  config: z.record(z.string(), z.json()),
  modules: z.array(
    z.object({ name: z.string(), kind: z.enum(['package', 'file']), version: z.string().nullable(), hash }),
  ),
  training: fingerprint,
  test: fingerprint,
  validation: fingerprint.optional(),
  initialWeights: hash.nullable(),
});

/** Reads `identity.json`; undefined if it does not exist. @throws LocalgradError `invalid-data` if it is damaged */
export function readIdentity(file: string): Promise<RunIdentity | undefined> {
  return readStateFile(file, { what: 'the identity of a localgrad run', schema, version: 1 });
}
