import type { JsonObject } from '@localgrad/core';
import type { z } from 'zod';
import { type RunConfig, runConfigSchema } from '../config/run-config.js';
import { canonicalJson, hashOf } from '../folder/hash.js';

/**
 * Version of the meaning of configs. Increase it when the meaning or the default of a key changes: earlier runs then count as
 * different. A new key with a default needs no new version, since defaults are not part of an identity.
 */
export const runSchemaVersion = 1;

/** Keys that say which worker trains what. */
const workerKeys: readonly string[] = ['workers', 'placement'];

/** Locations of files, and keys that change no bit of the result unless workers are asynchronous. */
export const ignoredKeys: readonly string[] = ['dataFolder', 'decodeWorkers', ...workerKeys];

/** Whether a key of a config is part of a run's identity. Results of asynchronous workers depend on who trains what. */
function isIgnored(key: string, config: { readonly asynchronous?: unknown }): boolean {
  const { asynchronous = 'none' } = config;
  return ignoredKeys.includes(key) && !(workerKeys.includes(key) && asynchronous !== 'none');
}

/** The keys of a config that differ from their defaults. */
export function withoutDefaults(config: object, schema: z.ZodObject = runConfigSchema): JsonObject {
  return Object.fromEntries(
    Object.entries(config).filter(([key, value]) => {
      if (value === undefined || isIgnored(key, config)) return false;
      return canonicalJson(value) !== canonicalJson(defaultOf(key, schema));
    }),
  );
}

/** Default of a key; undefined if it has none. */
export function defaultOf(key: string, schema: z.ZodObject = runConfigSchema): unknown {
  return Object.hasOwn(schema.shape, key) ? schema.shape[key]?.safeParse(undefined).data : undefined;
}

/**
 * Twelve hexadecimal digits for a config alone, before images are loaded: names the run folders of a sweep. The
 * identity of a run also covers content.
 */
export function configIdOf(config: RunConfig | JsonObject, schema: z.ZodObject = runConfigSchema): string {
  return hashOf({ schemaVersion: runSchemaVersion, config: withoutDefaults(config, schema) });
}
