import { at } from '@localgrad/core';
import { hasMixedSettings, withCommonSeeds } from './combined-choices.js';
import { mergeConditions } from './merge-conditions.js';
import type { ComparisonRule, Condition, Study } from './study.js';

/** One of several studies that are reported together. */
export interface StudyPart {
  /** Distinguishes its conditions from those of the others, e.g. the name of the sweep. */
  readonly label: string;
  readonly study: Study;
}

/** Factor that names the part where conditions of several parts would have the same name or labels. */
const partFactor = 'sweep';

/**
 * One study of several. Conditions with the same config become one, with the runs of all parts; where different conditions
 * have the same name or labels, each is also labeled with its part, so that only conditions of one part are compared.
 *
 * @returns the study, and a sentence for each comparison that the parts do not agree on and that is therefore omitted, and for
 * each run that another one with the same seed and other results replaces
 * @throws LocalgradError `invalid-option` if runs of one condition had different inputs (method files, images, initial weights),
 * or if values to choose from have no seed in common
 */
export function combineStudies(parts: readonly StudyPart[]): {
  readonly study: Study;
  readonly notices: readonly string[];
} {
  const first = at(parts, 0, 'study');
  const merged = mergeConditions(parts);
  if (parts.length === 1) return { study: first.study, notices: merged.notices };
  const studies = parts.map(({ study }) => study);
  const tune = [...new Set(studies.flatMap((study) => study.tune ?? []))];
  const own = merged.conditions.map(({ condition }) => condition);
  const isAmbiguous = hasTwins(own) || hasMixedSettings(own, tune);
  const conditions = isAmbiguous ? merged.conditions.map(({ condition, label }) => labeled(condition, label)) : own;
  const factors = new Set(studies.flatMap((study) => study.factors));
  const names = [...new Set(studies.map(({ name }) => name))];
  const notices = [...merged.notices];
  const agreed = <Value>(what: string, values: readonly Value[], keyOf: (value: Value) => unknown): Value | null => {
    const keys = new Set(values.map((value) => JSON.stringify(keyOf(value))));
    if (keys.size > 1) notices.push(`The sweeps have different ${what}, so that none is reported.`);
    return keys.size === 1 ? at(values, 0, what) : null;
  };
  const study: Study = {
    name: names.join('+'),
    title: [...new Set(studies.map(({ title }) => title))].join(' / '),
    description: [...new Set(studies.map(({ description }) => description))].join('\n\n'),
    tune,
    factors: isAmbiguous ? [partFactor, ...factors] : [...factors],
    conditions: withCommonSeeds(conditions),
    compare: agreed('comparisons', known(studies.map(({ compare }) => compare)), (rule: ComparisonRule) => rule),
    reference: agreed('reference conditions', known(studies.map(({ reference }) => reference)), (key: string) => key),
    source: parts.map(({ label, study: { source } }) => `# ${label}\n${source}`).join('\n'),
    commands: [...new Set(studies.flatMap(({ commands }) => commands))],
    problems: studies.flatMap(({ problems = [] }) => problems),
  };
  return { study, notices };
}

/** Whether two different conditions could not be distinguished. */
function hasTwins(conditions: readonly Condition[]): boolean {
  const isRepeated = (keys: readonly string[]) => new Set(keys).size < keys.length;
  const labeledOnes = conditions.filter(({ labels }) => Object.keys(labels).length > 0);
  return (
    isRepeated(conditions.map(({ name }) => name)) ||
    isRepeated(labeledOnes.map(({ labels }) => JSON.stringify(Object.entries(labels).sort())))
  );
}

function labeled(condition: Condition, label: string): Condition {
  const { name, setting, labels } = condition;
  return {
    ...condition,
    name: `${label}: ${name}`,
    ...(setting === undefined ? {} : { setting: `${label}: ${setting}` }),
    labels: { ...labels, [partFactor]: label },
  };
}

function known<Value>(values: readonly (Value | null)[]): Value[] {
  return values.filter((value): value is Value & {} => value !== null);
}
