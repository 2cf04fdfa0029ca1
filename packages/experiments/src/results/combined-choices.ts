import { LocalgradError } from '@localgrad/core';
import { canonicalJson } from '@localgrad/runs';
import type { Condition } from './study.js';

/** Conditions by setting: those of one setting are the values that it may choose from. */
function bySetting(conditions: readonly Condition[]): ReadonlyMap<string, readonly Condition[]> {
  const settings = new Map<string, Condition[]>();
  for (const condition of conditions) {
    const setting = condition.setting ?? condition.name;
    settings.set(setting, [...(settings.get(setting) ?? []), condition]);
  }
  return settings;
}

/** Whether conditions would be values of one setting although they differ in more than the keys of `tune`. */
export function hasMixedSettings(conditions: readonly Condition[], tune: readonly string[]): boolean {
  return [...bySetting(conditions).values()].some((candidates) => {
    const rests = candidates.map(({ config }) =>
      canonicalJson(Object.fromEntries(Object.entries(config).filter(([key]) => !tune.includes(key)))),
    );
    const isPartlyTuned = candidates.length > 1 && candidates.some(({ setting }) => setting === undefined);
    return isPartlyTuned || new Set(rests).size > 1;
  });
}

/**
 * The same conditions, where the values of a setting are compared over the same seeds: those that make the choice for each of them.
 *
 * @throws LocalgradError `invalid-option` if there are none
 */
export function withCommonSeeds(conditions: readonly Condition[]): Condition[] {
  const settings = bySetting(conditions);
  return conditions.map((condition) => {
    const { setting } = condition;
    if (setting === undefined) return condition;
    const candidates = settings.get(setting) ?? [];
    const tuneSeeds = (condition.tuneSeeds ?? condition.seeds).filter((seed) =>
      candidates.every((one) => (one.tuneSeeds ?? one.seeds).includes(seed)),
    );
    if (tuneSeeds.length > 0) return { ...condition, tuneSeeds };
    throw new LocalgradError(
      'invalid-option',
      `The sweeps cannot be reported together: no seed has run with all values that '${setting}' may choose from (${candidates.map(({ name }) => `'${name}'`).join(', ')}). Report them separately, or run them with a common seed.`,
      { setting },
    );
  });
}
