import { unknownName } from '@localgrad/core';
import type { PlannedCondition } from '../files/experiment.js';
import type { Sweep } from '../sweep/sweep-folder.js';

/**
 * Conditions whose names match one of the patterns: names, or globs with `*` (any text) and `?` (one character). All
 * conditions without patterns.
 *
 * @throws LocalgradError `unknown-name` for a pattern that matches no condition
 */
export function chosenConditions<Condition extends Pick<PlannedCondition, 'name'>>(
  conditions: readonly Condition[],
  patterns: readonly string[] | undefined,
): readonly Condition[] {
  if (patterns === undefined) return conditions;
  const matchers = patterns.map((pattern) => ({ pattern, matches: matcherOf(pattern) }));
  for (const { pattern, matches } of matchers) {
    if (conditions.some(({ name }) => matches(name))) continue;
    throw unknownName(
      'condition',
      pattern,
      conditions.map(({ name }) => name),
    );
  }
  return conditions.filter(({ name }) => matchers.some(({ matches }) => matches(name)));
}

/** Indices of the runs of the conditions that match; undefined for all. @throws LocalgradError `unknown-name` */
export function chosenTasks(
  { conditions, tasks }: Pick<Sweep, 'conditions' | 'tasks'>,
  patterns: readonly string[] | undefined,
): readonly number[] | undefined {
  if (patterns === undefined) return undefined;
  const keys = new Set(chosenConditions(conditions, patterns).map(({ key }) => key));
  return tasks.filter(({ condition }) => keys.has(condition)).map(({ index }) => index);
}

function matcherOf(pattern: string): (name: string) => boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const expression = new RegExp(`^${source}$`, 's');
  // A condition may have one of these characters in its name.
  return (name) => name === pattern || expression.test(name);
}
