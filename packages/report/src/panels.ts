import type { Look } from './charts/look.js';
import { type ConditionRow, labelsBeside, type StudyView } from './condition-rows.js';
import { looksOf } from './looks.js';

/** One line of a panel, with the same look in all panels of a report. */
export interface Line extends Look {
  readonly row: ConditionRow;
  readonly label: string;
}

/** Conditions that share a chart. */
export interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
}

/** Lines per panel that readers can distinguish. */
const mostLines = 6;

/**
 * Distributes conditions over panels of at most six lines. Few conditions share one panel; otherwise, conditions that differ
 * only in the compared factor share a panel, each with the reference.
 */
export function panelsOf(view: StudyView): Panel[] {
  const drawn = view.rows.filter(({ condition }) => condition.runs.length > 0);
  if (drawn.length === 0) return [];
  if (drawn.length <= mostLines) {
    const lines = linesOf(drawn, ({ condition }) => condition.name);
    return [{ title: '', lines: drawn.flatMap((row) => lines.get(row) ?? []) }];
  }
  const factor = colored(view);
  const factorOf = ({ condition }: ConditionRow) => (factor === null ? undefined : condition.labels[factor]);
  const lines = linesOf(drawn, factorOf);
  const groups = new Map<string, Line[]>();
  for (const row of drawn) {
    const line = lines.get(row);
    if (row.isReference || line === undefined) continue;
    const title = factorOf(row) === undefined ? 'Others' : labelsBeside(row, view.study, factor) || 'All conditions';
    groups.set(title, [...(groups.get(title) ?? []), line]);
  }
  const shared = [...lines.values()].filter(({ row }) => row.isReference);
  return [...groups].flatMap(([title, lines]) => {
    const parts = chunks(lines, mostLines - shared.length);
    return parts.map((part, index) => ({
      title: parts.length === 1 ? title : `${title} (${index + 1} of ${parts.length})`,
      lines: [...shared, ...part],
    }));
  });
}

/** Color of each condition in the panels, by key. */
export function colorsOf(panels: readonly Panel[]): ReadonlyMap<string, number> {
  return new Map([...looksByKey(panels)].map(([key, { color }]) => [key, color]));
}

/** Look of each condition in the panels, by key. */
export function looksByKey(panels: readonly Panel[]): ReadonlyMap<string, Line> {
  return new Map(panels.flatMap(({ lines }) => lines.map((line) => [line.row.condition.key, line] as const)));
}

/** Labels lines with the value of the compared factor, or with their names if they have none. */
function linesOf(
  rows: readonly ConditionRow[],
  factorOf: (row: ConditionRow) => string | undefined,
): ReadonlyMap<ConditionRow, Line> {
  const looks = looksOf(rows, factorOf);
  const labelOf = (row: ConditionRow) => (row.isReference ? undefined : factorOf(row)) ?? row.condition.name;
  return new Map([...looks].map(([row, look]) => [row, { ...look, row, label: labelOf(row) }]));
}

/** The factor that determines colors: the compared one, else the last one with few values. */
function colored({ study, rows }: StudyView): string | null {
  if (study.compare !== null) return study.compare.factor;
  const values = (factor: string) => new Set(rows.map(({ condition }) => condition.labels[factor])).size;
  return (
    study.factors.findLast((factor) => values(factor) > 1 && values(factor) < mostLines) ?? study.factors.at(-1) ?? null
  );
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
