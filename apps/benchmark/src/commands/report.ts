import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { defaultSweepFolder, loadStudy, openSweep, quoted, type Study } from '@localgrad/experiments';
import { explanationSvg, type PlanFigure, type ReportFiles, writeReport } from '@localgrad/report';
import { type Explanation, explain, loadData, type RunConfig, runConfigSchema } from '@localgrad/runs';
import type { Command } from 'commander';
import type { Presenter } from '../present.js';
import { type Terminal, warn } from '../terminal.js';

export interface ReportReport {
  readonly name: string;
  readonly folder: string;
  /** Runs with a result, and planned runs. */
  readonly finished: number;
  readonly runs: number;
  readonly files: ReportFiles;
}

/** Writes the report of a sweep from its current files; the sweep may still be running. */
export async function report(path: string, output: string | undefined, terminal: Terminal): Promise<ReportReport> {
  const sweep = await openSweep(path);
  const { folder } = sweep;
  const target = output ?? join(folder, 'report');
  // The command that repeats it elsewhere, wherever this copy is.
  const isElsewhere = sweep.commands.some((command) => command.includes(' --folder '));
  const study = await loadStudy(sweep, [
    `localgrad report ${quoted(isElsewhere ? folder : defaultSweepFolder(sweep))}`,
  ]);
  for (const problem of study.problems ?? []) warn(terminal, problem);
  const files = await writeReport(study, target, { planFigures: await planFigures(study, terminal) });
  return {
    name: study.name,
    folder: target,
    finished: study.conditions.reduce((sum, { runs }) => sum + runs.length, 0),
    runs: study.conditions.reduce((sum, { seeds }) => sum + seeds.length, 0),
    files,
  };
}

/** One figure per method, of its first condition. */
async function planFigures(study: Study, terminal: Terminal): Promise<PlanFigure[]> {
  const configs = new Map<string, RunConfig>();
  for (const { config } of study.conditions) {
    const parsed = runConfigSchema.parse(config);
    if (!configs.has(parsed.method)) configs.set(parsed.method, parsed);
  }
  const figures: PlanFigure[] = [];
  for (const config of configs.values()) {
    try {
      const { train } = await loadData(config);
      const explanation = await explain({ ...config, image: train.imageShape, classes: train.classes.length });
      if (isEndToEnd(explanation)) continue;
      figures.push({ title: `${config.method}, K = ${explanation.modules.length}`, svg: explanationSvg(explanation) });
    } catch (error) {
      if (!LocalgradError.isInstance(error)) throw error;
      warn(terminal, `cannot plot the plan of ${config.method}: ${error.message}`);
    }
  }
  return figures;
}

/** Whether a single loss trains the whole network, so that a figure would show nothing. */
function isEndToEnd({ objectives, modules }: Explanation): boolean {
  return objectives.length === 1 && objectives[0]?.span[0] === 0 && objectives[0].span[1] === modules.length - 1;
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
    .summary('write the report of a sweep: tables with confidence intervals, tests, figures')
    .description(
      'Writes one self-contained page, and the same content as Markdown, LaTeX and CSV with figures as SVG and PNG. Works ' +
        'while the sweep is running, too: unfinished runs are listed as missing.',
    )
    .argument('<sweep>', 'folder of the sweep, or its experiment file')
    .option('--output <folder>', "folder of the report (default: 'report' in the folder of the sweep)")
    .action((path: string, flags: { output?: string }) =>
      present(() => report(path, flags.output, terminal), renderReport),
    );
}
