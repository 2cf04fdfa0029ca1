import { readFile } from 'node:fs/promises';
import { LocalgradError, readProblem } from '@localgrad/core';
import { type CsvRecord, environmentColumns, parseCsv } from './csv.js';

/** Columns that identify a row, in any benchmark. */
const keys = ['method', 'kernel', 'shape', 'backbone', 'modules', 'backend', 'threads', 'batch', 'budget_bytes'];

/** Compared columns, as new ÷ old. */
const measures = ['step_ms_median', 'milliseconds', 'peak_bytes', 'largest_batch'];

export interface ComparedRow {
  readonly row: Readonly<Record<string, string>>;
  /** New ÷ old, by measure; empty if the old file has no such row. */
  readonly ratios: Readonly<Record<string, number>>;
}

export interface Comparison {
  readonly file: string;
  readonly rows: readonly ComparedRow[];
  /** Differences in the environment: `cpu: A → B`. */
  readonly differences: readonly string[];
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
    const old = earlier.find((candidate) => shared.every((key) => (candidate[key] ?? '') === row[key]));
    const ratios = measures.flatMap((name) => {
      const [now, then] = [Number(record[name] ?? Number.NaN), Number(old?.[name] || Number.NaN)];
      return Number.isFinite(now / then) ? [[name, now / then] as const] : [];
    });
    return { row, ratios: Object.fromEntries(ratios) };
  });
  const differences = environmentColumns.flatMap((name) => {
    const then = earlier[0]?.[name];
    return name === 'date' || then === undefined || then === place[name] ? [] : [`${name}: ${then} → ${place[name]}`];
  });
  return { file, rows, differences };
}

export function renderComparison({ file, rows, differences }: Comparison): string {
  const lines = rows.map(({ row, ratios }) => {
    const name = [row.method ?? row.kernel, row.shape, row.backbone, row.modules && `K = ${row.modules}`, row.backend];
    const parts = Object.entries(ratios).map(([measure, ratio]) => `${measure} ${ratio.toFixed(3)} ×`);
    return `  ${name.filter(Boolean).join(', ')}: ${parts.join(', ') || 'no such row in the file'}`;
  });
  return [
    `\nCompared with ${file} (new ÷ old):`,
    ...lines,
    ...(differences.length === 0 ? [] : [`  Different environment: ${differences.join('; ')}`]),
  ].join('\n');
}
