import { LocalgradError } from '@localgrad/core';
import { canonicalJson } from '@localgrad/runs';
import { conditionsBySetting } from './settings.js';
import type { Condition } from './study.js';

/** Whether conditions would be values of one setting although they differ in more than the keys of `tune`. */
export function hasMixedSettings(conditions: readonly Condition[], tune: readonly string[]): boolean {
  return [...conditionsBySetting(conditions).values()].some((candidates) => {
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
  const settings = conditionsBySetting(conditions);
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
