import { readFile } from 'node:fs/promises';
import { LocalgradError, readProblem } from '@localgrad/core';
import { type CsvRecord, environmentColumns, parseCsv } from './csv.js';
import { settingNames } from './setting-columns.js';

/** Columns that identify a row, in any benchmark. */
const keys = ['method', 'kernel', 'shape', 'backbone', 'modules', 'backend', 'threads', 'batch', 'budget_bytes'];

/** Compared columns, as new ÷ old. */
const measures = ['step_ms_median', 'milliseconds', 'peak_bytes', 'largest_batch'];

export interface ComparedRow {
  readonly row: Readonly<Record<string, string>>;
  /** New ÷ old, by measure; empty if the old file has no such row, or one with other settings. */
  readonly ratios: Readonly<Record<string, number>>;
  /** What the old row was measured with instead: `image: 32x32x3 → 16x16x3`. */
  readonly otherSettings: readonly string[];
}

export interface Comparison {
  readonly file: string;
  readonly rows: readonly ComparedRow[];
  /** Differences in the environment: `cpu: A → B`. */
  readonly differences: readonly string[];
  /** Settings that the old file, of an earlier version, does not record: they are compared unseen. */
  readonly unknown: readonly string[];
}

/** @throws LocalgradError `invalid-data` for a file that `localgrad bench` did not write */
export async function readEarlier(file: string): Promise<Record<string, string>[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new LocalgradError('invalid-data', `--compare '${file}': ${readProblem(error)}.`, { file }, { cause: error });
  });
  const rows = parseCsv(text);
  if (rows.length === 0 || !measures.some((name) => name in (rows[0] ?? {}))) {
    throw new LocalgradError(
      'invalid-data',
      `--compare '${file}': no rows with any of ${measures.join(', ')}. Allowed: .csv files written by localgrad bench.`,
      { file },
    );
  }
  return rows;
}

/** Matches records with those of an earlier run. */
export function compare(
  file: string,
  records: readonly CsvRecord[],
  place: Readonly<Record<string, string>>,
  earlier: readonly Readonly<Record<string, string>>[],
): Comparison {
  const rows = records.map((record): ComparedRow => {
    const shared = keys.filter((key) => key in record);
    const row = Object.fromEntries(shared.map((key) => [key, String(record[key] ?? '')]));
    const same = earlier.filter((candidate) => shared.every((key) => (candidate[key] ?? '') === row[key]));
    const old = same.find((candidate) => settingsBetween(candidate, record).length === 0);
    const otherSettings = old === undefined && same[0] !== undefined ? settingsBetween(same[0], record) : [];
    const ratios = measures.flatMap((name) => {
      const [now, then] = [Number(record[name] ?? Number.NaN), Number(old?.[name] || Number.NaN)];
      return Number.isFinite(now / then) ? [[name, now / then] as const] : [];
    });
    return { row, ratios: Object.fromEntries(ratios), otherSettings };
  });
  const differences = environmentColumns.flatMap((name) => {
    const then = earlier[0]?.[name];
    return name === 'date' || then === undefined || then === place[name] ? [] : [`${name}: ${then} → ${place[name]}`];
  });
  const recorded = Object.keys(records[0] ?? {});
  const unknown = settingNames.filter((name) => recorded.includes(name) && !(name in (earlier[0] ?? {})));
  return { file, rows, differences, unknown };
}

/** Differences of the settings that both rows record. */
function settingsBetween(old: Readonly<Record<string, string>>, record: CsvRecord): string[] {
  return settingNames.flatMap((name) => {
    const [then, now] = [old[name], name in record ? String(record[name] ?? '') : undefined];
    if (then === undefined || now === undefined || then === now) return [];
    return [`${name}: ${then || 'default'} → ${now || 'default'}`];
  });
}

export function renderComparison({ file, rows, differences, unknown }: Comparison): string {
  const lines = rows.map(({ row, ratios, otherSettings }) => {
    const name = [row.method ?? row.kernel, row.shape, row.backbone, row.modules && `K = ${row.modules}`, row.backend];
    const parts = Object.entries(ratios).map(([measure, ratio]) => `${measure} ${ratio.toFixed(3)} ×`);
    const missing =
      otherSettings.length === 0
        ? 'no such row in the file'
        : `not compared, other settings: ${otherSettings.join('; ')}`;
    return `  ${name.filter(Boolean).join(', ')}: ${parts.join(', ') || missing}`;
  });
  return [
    `\nCompared with ${file} (new ÷ old):`,
    ...lines,
    ...(unknown.length === 0
      ? []
      : [
          `  Written by an earlier version, which did not record ${unknown.join(', ')}: make sure that they are the same.`,
        ]),
    ...(differences.length === 0 ? [] : [`  Different environment: ${differences.join('; ')}`]),
  ].join('\n');
}
