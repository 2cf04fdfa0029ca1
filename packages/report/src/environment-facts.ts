import type { StudyView } from './condition-rows.js';
import { lineOf } from './presentable.js';

/** Environment of the runs: all values that occur, by name. Dates become the days of the first and the last run. */
export function environmentFacts({ rows }: StudyView): { readonly name: string; readonly value: string }[] {
  const runs = rows.flatMap(({ condition, diverged }) => [...condition.runs, ...diverged]);
  const values = new Map<string, Set<string>>();
  const add = (name: string, value: unknown) => {
    if (value === null || value === undefined) return;
    const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
    values.set(name, (values.get(name) ?? new Set()).add(lineOf(text)));
  };
  for (const { summary, environment } of runs) {
    add('backend', summary.backend);
    for (const [name, value] of Object.entries(environment ?? {})) {
      if (name !== 'date') add(name, value);
    }
  }
  const facts = [...values].map(([name, found]) => ({ name, value: [...found].join('; ') }));
  const days = runs.flatMap(({ environment }) => environment?.date.slice(0, 10) ?? []).sort();
  const [first] = days;
  if (first !== undefined) {
    const last = days.at(-1);
    facts.push({ name: 'date', value: first === last ? first : `${first} to ${last}` });
  }
  const unknown = runs.filter(({ environment }) => environment === null).length;
  if (unknown > 0) facts.push({ name: 'unknown', value: `for ${unknown} of ${runs.length} runs` });
  const resumed = runs.filter(({ summary }) => summary.resumptions > 0).length;
  if (resumed > 0)
    facts.push({ name: 'resumed', value: `${resumed} of ${runs.length} runs resumed from a checkpoint` });
  return facts;
}
