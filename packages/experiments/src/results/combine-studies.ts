import { at } from '@localgrad/core';
import type { ComparisonRule, Condition, FinishedRun, StoppedRun, Study } from './study.js';

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
 * @returns the study, and a sentence for each comparison that the parts do not agree on and that is therefore omitted
 */
export function combineStudies(parts: readonly StudyPart[]): {
  readonly study: Study;
  readonly notices: readonly string[];
} {
  const first = at(parts, 0, 'study');
  if (parts.length === 1) return { study: first.study, notices: [] };
  const conditions = mergedConditions(parts);
  const studies = parts.map(({ study }) => study);
  const isAmbiguous = hasTwins(conditions.map(({ condition }) => condition));
  const factors = new Set(studies.flatMap((study) => study.factors));
  const names = [...new Set(studies.map(({ name }) => name))];
  const notices: string[] = [];
  const agreed = <Value>(what: string, values: readonly Value[], keyOf: (value: Value) => unknown): Value | null => {
    const keys = new Set(values.map((value) => JSON.stringify(keyOf(value))));
    if (keys.size > 1) notices.push(`The sweeps have different ${what}, so that none is reported.`);
    return keys.size === 1 ? at(values, 0, what) : null;
  };
  const study: Study = {
    name: names.join('+'),
    title: [...new Set(studies.map(({ title }) => title))].join(' / '),
    description: [...new Set(studies.map(({ description }) => description))].join('\n\n'),
    tune: [...new Set(studies.flatMap(({ tune = [] }) => tune))],
    tuneSeeds: [...new Set(studies.flatMap((part) => part.tuneSeeds ?? seedsOf(part)))].sort((a, b) => a - b),
    factors: isAmbiguous ? [partFactor, ...factors] : [...factors],
    conditions: conditions.map(({ condition, label }) => (isAmbiguous ? labeled(condition, label) : condition)),
    compare: agreed('comparisons', known(studies.map(({ compare }) => compare)), (rule: ComparisonRule) => rule),
    reference: agreed('reference conditions', known(studies.map(({ reference }) => reference)), (key: string) => key),
    source: parts.map(({ label, study: { source } }) => `# ${label}\n${source}`).join('\n'),
    commands: [...new Set(studies.flatMap(({ commands }) => commands))],
    problems: studies.flatMap(({ problems = [] }) => problems),
  };
  return { study, notices };
}

function seedsOf({ conditions }: Study): number[] {
  return conditions.flatMap(({ seeds }) => seeds);
}

interface Labeled {
  readonly condition: Condition;
  readonly label: string;
}

function mergedConditions(parts: readonly StudyPart[]): Labeled[] {
  const byKey = new Map<string, Labeled>();
  for (const { label, study } of parts) {
    for (const condition of study.conditions) {
      const before = byKey.get(condition.key);
      byKey.set(
        condition.key,
        before === undefined ? { condition, label } : { ...before, condition: merged(before.condition, condition) },
      );
    }
  }
  return [...byKey.values()];
}

function merged(one: Condition, other: Condition): Condition {
  const runs = bySeed<FinishedRun>([...one.runs, ...other.runs]);
  const finished = new Set(runs.map(({ seed }) => seed));
  const stopped = bySeed<StoppedRun>([...(one.stopped ?? []), ...(other.stopped ?? [])]);
  const seeds = [...new Set([...one.seeds, ...other.seeds])].sort((a, b) => a - b);
  return { ...one, seeds, runs, stopped: stopped.filter(({ seed }) => !finished.has(seed)) };
}

/** The first of each seed: equal configs with equal seeds are equal runs. */
function bySeed<Run extends { readonly seed: number }>(runs: readonly Run[]): Run[] {
  const known = new Map<number, Run>();
  for (const run of runs) if (!known.has(run.seed)) known.set(run.seed, run);
  return [...known.values()].sort((a, b) => a.seed - b.seed);
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
