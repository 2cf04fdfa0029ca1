import type { ConditionRow, StudyView } from './condition-rows.js';

/** One line of a panel. */
export interface Line {
  readonly row: ConditionRow;
  readonly label: string;
  /** Of the palette; the same in all panels of a report for the same label. */
  readonly colour: number;
}

/** Conditions that are drawn together. */
export interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
}

/** More lines than that cannot be followed. */
const mostLines = 6;

/**
 * Spreads conditions over panels of at most six lines. Few conditions share one panel; of many, those that differ in one
 * factor alone (the compared one) do, with the reference in each.
 */
export function panelsOf(view: StudyView): Panel[] {
  const drawn = view.rows.filter(({ condition }) => condition.runs.length > 0);
  if (drawn.length <= mostLines) {
    const labels = new Colours(view);
    return drawn.length === 0 ? [] : [{ title: '', lines: drawn.map((row) => labels.line(row, row.condition.name)) }];
  }
  const factor = coloured(view);
  const colours = new Colours(view);
  const groups = new Map<string, Line[]>();
  for (const row of drawn) {
    if (row.isReference) continue;
    const value = factor === null ? undefined : row.condition.labels[factor];
    const title = value === undefined ? 'Others' : panelTitle(view, row, factor);
    const lines = groups.get(title) ?? [];
    lines.push(colours.line(row, value ?? row.condition.name));
    groups.set(title, lines);
  }
  const reference = drawn.find(({ isReference }) => isReference);
  const shared = reference === undefined ? [] : [colours.line(reference, reference.condition.name)];
  return [...groups].flatMap(([title, lines]) => {
    const parts = chunks(lines, mostLines - shared.length);
    return parts.map((part, index) => ({
      title: parts.length === 1 ? title : `${title} (${index + 1} of ${parts.length})`,
      lines: [...shared, ...part],
    }));
  });
}

/** The colour of every condition as in the panels, by key. */
export function coloursOf(panels: readonly Panel[]): ReadonlyMap<string, number> {
  return new Map(panels.flatMap(({ lines }) => lines.map(({ row, colour }) => [row.condition.key, colour] as const)));
}

/** Hands out colours by label; the reference has the first one to itself. */
class Colours {
  readonly #names = new Map<string, number>();
  readonly #first: number;

  constructor({ reference }: StudyView) {
    this.#first = reference === null ? 0 : 1;
  }

  line(row: ConditionRow, label: string): Line {
    if (row.isReference) return { row, label, colour: 0 };
    const known = this.#names.get(label);
    const colour = known ?? this.#first + (this.#names.size % (mostLines - this.#first));
    this.#names.set(label, colour);
    return { row, label, colour };
  }
}

/** The compared factor, else the last one with few values. */
function coloured({ study, rows }: StudyView): string | null {
  if (study.compare !== null) return study.compare.factor;
  const values = (factor: string) => new Set(rows.map(({ condition }) => condition.labels[factor])).size;
  return (
    study.factors.findLast((factor) => values(factor) > 1 && values(factor) < mostLines) ?? study.factors.at(-1) ?? null
  );
}

function panelTitle({ study }: StudyView, { condition }: ConditionRow, factor: string | null): string {
  const others = study.factors.filter((name) => name !== factor && condition.labels[name] !== undefined);
  return others.map((name) => `${name} ${condition.labels[name]}`).join(', ') || 'All conditions';
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
