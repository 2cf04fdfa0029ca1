import { join } from 'node:path';
import { endToEndMethod } from '@localgrad/catalog';
import { LocalgradError } from '@localgrad/core';
import { defaultSweepFolder, loadStudy, openSweep, quoted, type Study } from '@localgrad/experiments';
import { explanationSvg, type PlanFigure, type ReportFiles, writeReport } from '@localgrad/report';
import { explain, loadData, type RunConfig, runConfigSchema } from '@localgrad/runs';
import type { Command } from 'commander';
import type { Presenter } from '../present.js';
import type { Terminal } from '../terminal.js';

export interface ReportReport {
  readonly name: string;
  readonly folder: string;
  /** Runs with a result, and runs that were asked for. */
  readonly finished: number;
  readonly runs: number;
  readonly files: ReportFiles;
}

/** Makes a sweep's report from what its files hold now; it may still be running. */
export async function report(path: string, output: string | undefined, terminal: Terminal): Promise<ReportReport> {
  const sweep = await openSweep(path);
  const { folder } = sweep;
  const target = output ?? join(folder, 'report');
  // As somebody else would repeat it, wherever this copy lies.
  const isElsewhere = sweep.commands.some((command) => command.includes(' --folder '));
  const study = await loadStudy(sweep, [
    `localgrad report ${quoted(isElsewhere ? folder : defaultSweepFolder(sweep))}`,
  ]);
  const files = await writeReport(study, target, { planFigures: await planFigures(study, terminal) });
  return {
    name: study.name,
    folder: target,
    finished: study.conditions.reduce((sum, { runs }) => sum + runs.length, 0),
    runs: study.conditions.reduce((sum, { seeds }) => sum + seeds.length, 0),
    files,
  };
}

/** One drawing of each method: in the condition where it comes first. */
async function planFigures(study: Study, terminal: Terminal): Promise<PlanFigure[]> {
  const configs = new Map<string, RunConfig>();
  for (const { config } of study.conditions) {
    const parsed = runConfigSchema.parse(config);
    if (parsed.method !== endToEndMethod && !configs.has(parsed.method)) configs.set(parsed.method, parsed);
  }
  const figures: PlanFigure[] = [];
  for (const config of configs.values()) {
    try {
      const { train } = await loadData(config);
      const explanation = await explain({ ...config, image: train.imageShape, classes: train.classes.length });
      figures.push({ title: `${config.method}, K = ${explanation.modules.length}`, svg: explanationSvg(explanation) });
    } catch (error) {
      if (!LocalgradError.isInstance(error)) throw error;
      terminal.stderr.write(`localgrad: the plan of ${config.method} is not drawn: ${error.message}\n`);
    }
  }
  return figures;
}

function renderReport({ finished, runs, files }: ReportReport): string {
  const { html, markdown, latex, results, figures } = files;
  return [
    `${finished} of ${runs} runs`,
    `page      ${html}`,
    `tables    ${markdown}, ${latex}, ${results}`,
    `figures   ${figures.length} files beside it`,
  ].join('\n');
}

export function registerReport(program: Command, terminal: Terminal, present: Presenter): void {
  program
    .command('report')
    .summary("make a sweep's report: tables with confidence intervals, tests, figures")
    .description(
      'Writes one self-contained page, and the same as Markdown, LaTeX and CSV with figures as SVG and PNG. Works at any ' +
        'time: what is not finished is said to be missing.',
    )
    .argument('<sweep>', 'folder of the sweep, or its experiment file')
    .option('--output <folder>', "where to write (default: 'report' in the sweep's folder)")
    .action((path: string, flags: { output?: string }) =>
      present(() => report(path, flags.output, terminal), renderReport),
    );
}
