import {
  type Comparison,
  type CsvRecord,
  checkOwnFile,
  compare,
  csvOf,
  markedPng,
  markedSvg,
  readEarlier,
  renderComparison,
  type StepCost,
  writeOwnFile,
} from '@localgrad/bench';
import { pngOf, renderSvg } from '@localgrad/report';
import type { MeasurementEnvironment } from '@localgrad/runs';
import type { Command } from 'commander';

export interface OutputFlags {
  readonly output?: string;
  readonly compare?: string;
  readonly figure?: string;
}

interface Measured {
  readonly environment: MeasurementEnvironment;
  readonly device: string;
}

/** Flags of every benchmark. */
export function addOutputFlags(command: Command, withFigure = true): Command {
  command
    .option('--output <file>', 'write the rows with the environment to a .csv or .json file')
    .option('--compare <file>', 'compare the rows with those of an earlier .csv file');
  return withFigure ? command.option('--figure <path>', 'also plot the rows to <path>.svg and <path>.png') : command;
}

/**
 * Checks the files before anything is measured. Returns a function that writes them afterwards and adds the comparison to
 * the report.
 *
 * @throws LocalgradError `invalid-option`, `invalid-data`
 */
export async function prepareOutput<Report extends Measured>(
  flags: OutputFlags,
  records: (report: Report) => readonly CsvRecord[],
  figure?: (report: Report) => Record<string, unknown>,
): Promise<(report: Report) => Promise<Report & { comparison?: Comparison }>> {
  const { output, figure: path } = flags;
  if (output !== undefined) await checkOwnFile('--output', output, ['.csv', '.json']);
  if (path !== undefined) {
    for (const extension of ['.svg', '.png']) await checkOwnFile('--figure', `${path}${extension}`, [extension]);
  }
  const earlier = flags.compare === undefined ? undefined : await readEarlier(flags.compare);
  return async (report) => {
    const rows = records(report);
    const csv = csvOf(report.environment, report.device, rows);
    if (output !== undefined) {
      await writeOwnFile('--output', output, output.endsWith('.csv') ? csv : `${JSON.stringify(report, null, 2)}\n`);
    }
    if (path !== undefined && figure !== undefined) {
      const svg = await renderSvg(figure(report));
      await writeOwnFile('--figure', `${path}.svg`, markedSvg(svg));
      await writeOwnFile('--figure', `${path}.png`, markedPng(await pngOf(svg)));
    }
    if (earlier === undefined || flags.compare === undefined) return report;
    const { cpu, cores, platform, runtime, tfjs, localgrad, commit } = report.environment;
    const here = { device: report.device, cpu, cores: String(cores), platform, runtime, tfjs, localgrad };
    return { ...report, comparison: compare(flags.compare, rows, { ...here, commit: commit ?? '' }, earlier) };
  };
}

/** A ratio in a table. */
export function times(ratio: number | null, digits = 2): string {
  return ratio === null ? '–' : `${ratio.toFixed(digits)} ×`;
}

/** The phases in which methods with phases were measured. */
export function phaseLines(rows: readonly StepCost[]): string[] {
  const found = new Map(
    rows.flatMap(({ method, phases }) => (phases === undefined ? [] : [[method, phases] as const])),
  );
  const lines = [...found].map(
    ([method, { time, memory, count }]) =>
      `${method} has ${count} phases: time and work are those of '${time}', peak memory that of '${memory}', the highest ones.`,
  );
  return lines.length === 0 ? [] : ['', ...lines];
}

export function comparisonLines(report: object): string[] {
  const { comparison } = report as { readonly comparison?: Comparison };
  return comparison === undefined ? [] : [renderComparison(comparison)];
}

/** `AMD EPYC, 2 cores, Node 20, commit …` */
export function placeLine({ environment, device }: Measured): string {
  const commit = environment.commit === null ? '' : `, commit ${environment.commit}`;
  return `${device}, ${environment.cores} cores, ${environment.runtime}${commit}`;
}
