import type { JsonObject } from '@localgrad/core';
import type { z } from 'zod';
import { decidedKeys } from '../config/explicit-partition.js';
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

/** Keys that one backend alone reads. `auto` may select it. */
const backendKeys: ReadonlyMap<string, string> = new Map([
  ['relaxedSimd', 'wasm'],
  ['tf32', 'tensorflow-gpu'],
  ['recordSteps', 'webgpu'],
]);

/** Keys that decide whether others have an effect. */
interface Conditions {
  readonly asynchronous?: unknown;
  readonly backend?: unknown;
  readonly partition?: unknown;
}

/** Whether a key of a config is part of a run's identity. Results of asynchronous workers depend on who trains what. */
function isIgnored(key: string, config: Conditions): boolean {
  const { asynchronous = 'none' } = config;
  return ignoredKeys.includes(key) && !(workerKeys.includes(key) && asynchronous !== 'none');
}

/** Whether another key decides the value, or leaves it without effect. */
function isDecided(key: string, config: Conditions): boolean {
  return decidedKeys(config).includes(key) || isOfOtherBackend(key, config);
}

/** Whether only other backends than that of the config read a key. */
export function isOfOtherBackend(key: string, { backend = 'auto' }: Pick<Conditions, 'backend'>): boolean {
  const reader = backendKeys.get(key);
  return reader !== undefined && backend !== 'auto' && backend !== reader;
}

/** The keys of a config that differ from their defaults and have an effect. */
export function withoutDefaults(config: object, schema: z.ZodObject = runConfigSchema): JsonObject {
  return Object.fromEntries(Object.entries(setKeys(config, schema)).filter(([key]) => !isDecided(key, config)));
}

/** The keys of a config that differ from their defaults, as earlier versions identified runs: with or without effect. */
export function setKeys(config: object, schema: z.ZodObject = runConfigSchema): JsonObject {
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
