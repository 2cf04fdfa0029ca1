import type { JsonObject } from '@localgrad/core';
import type { z } from 'zod';
import { type RunConfig, runConfigSchema } from '../config/run-config.js';
import { canonicalJson, hashOf } from '../folder/hash.js';

/**
 * Version of what configs mean. Raise it when the meaning or the default of a key changes: then earlier runs are other
 * runs. A new key with a default needs no new version, since defaults are not part of an identity.
 */
export const runSchemaVersion = 1;

/** Where files lie is not part of what a run is. */
const places: readonly string[] = ['dataFolder'];

/** The keys of a config that differ from their defaults. */
export function withoutDefaults(config: object, schema: z.ZodObject = runConfigSchema): JsonObject {
  return Object.fromEntries(
    Object.entries(config).filter(([key, value]) => {
      if (value === undefined || places.includes(key)) return false;
      return canonicalJson(value) !== canonicalJson(defaultOf(key, schema));
    }),
  );
}

/** A key's default; undefined where it has none. */
export function defaultOf(key: string, schema: z.ZodObject = runConfigSchema): unknown {
  return Object.hasOwn(schema.shape, key) ? schema.shape[key]?.safeParse(undefined).data : undefined;
}

/**
 * Twelve hexadecimal digits for a config alone, before images are loaded: names the folders of a sweep's runs. A run's own
 * identity covers content as well.
 */
export function configIdOf(config: RunConfig | JsonObject, schema: z.ZodObject = runConfigSchema): string {
  return hashOf({ schemaVersion: runSchemaVersion, config: withoutDefaults(config, schema) });
}
