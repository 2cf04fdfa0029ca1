import type { Condition } from './study.js';

/** Conditions by setting: those of one setting are the values that it may choose from. */
export function conditionsBySetting(conditions: readonly Condition[]): ReadonlyMap<string, readonly Condition[]> {
  const settings = new Map<string, Condition[]>();
  for (const condition of conditions) {
    const setting = condition.setting ?? condition.name;
    settings.set(setting, [...(settings.get(setting) ?? []), condition]);
  }
  return settings;
}

/** Whether the run with this seed takes part in the choice among the conditions of a setting. */
export function isChoosingSeed({ tuneSeeds }: Condition, seed: number): boolean {
  return tuneSeeds?.includes(seed) ?? true;
}
