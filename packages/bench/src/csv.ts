import type { MeasurementEnvironment } from '@localgrad/runs';

export type CsvRecord = Readonly<Record<string, string | number | null>>;

/** Columns of the environment. They are repeated in every line, so that files can be concatenated. */
export const environmentColumns = [
  'device',
  'cpu',
  'cores',
  'platform',
  'runtime',
  'tfjs',
  'localgrad',
  'commit',
  'date',
] as const;

/** One line per record, followed by the environment. */
export function csvOf(environment: MeasurementEnvironment, device: string, records: readonly CsvRecord[]): string {
  const { cpu, cores, platform, runtime, tfjs, localgrad, commit, date } = environment;
  const place = { device, cpu, cores, platform, runtime, tfjs, localgrad, commit, date };
  const header = [...Object.keys(records[0] ?? {}), ...environmentColumns];
  const lines = records.map((record) => {
    const whole: CsvRecord = { ...record, ...place };
    return header.map((name) => field(whole[name] ?? ''));
  });
  return `${[header, ...lines].map((line) => line.join(',')).join('\n')}\n`;
}

function field(value: string | number): string {
  const text = String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Reads the output of `csvOf`, also if a spreadsheet has saved it, with a byte-order mark; the first line names the columns. */
export function parseCsv(text: string): Record<string, string>[] {
  const lines: string[][] = [[]];
  for (const [, quoted, plain = '', end] of text
    .replace(/^\ufeff/, '')
    .matchAll(/(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r?\n|$)/g)) {
    if (end === '' && quoted === undefined && plain === '' && lines.at(-1)?.length === 0) break;
    lines.at(-1)?.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === '') break;
    if (end !== ',') lines.push([]);
  }
  const [header = [], ...rows] = lines.filter((line) => line.length > 0);
  return rows.map((row) => Object.fromEntries(header.map((name, index) => [name, row[index] ?? ''])));
}

/** Whether a text has the columns of `csvOf`. Files of earlier versions have no `device`. */
export function isBenchmarkCsv(text: string): boolean {
  const [header = ''] = text.split(/\r?\n/, 1);
  const [, ...columns] = environmentColumns;
  return /^(method|kernel),/.test(header) && header.endsWith(`,${columns.join()}`);
}

/** Whether a text is the report of a benchmark as JSON. */
export function isBenchmarkJson(text: string): boolean {
  try {
    const { environment, options, rows } = JSON.parse(text);
    return typeof environment?.localgrad === 'string' && typeof options === 'object' && Array.isArray(rows);
  } catch {
    return false;
  }
}
