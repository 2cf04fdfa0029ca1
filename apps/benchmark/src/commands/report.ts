import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { combineStudies, loadStudyParts, openSweep, type Study, type Sweep } from '@localgrad/experiments';
import {
  explanationSvg,
  type PlanFigure,
  type ReportFiles,
  type StudyResults,
  studyResults,
  writeReport,
} from '@localgrad/report';
import { type Explanation, explain, loadData, type RunConfig, runConfigSchema } from '@localgrad/runs';
import type { Command } from 'commander';
import type { Presenter } from '../present.js';
import { type Terminal, warn } from '../terminal.js';
import { addSetFlag } from './sweep/flags.js';

/** The results as data, and where their report is. */
export interface ReportReport extends StudyResults {
  readonly folder: string;
  readonly files: ReportFiles;
}

export interface ReportFlags {
  readonly output?: string | undefined;
  readonly set?: readonly string[] | undefined;
}

/** Writes one report of sweeps from their current files; the sweeps may still be running. */
export async function report(
  paths: readonly string[],
  { output, set }: ReportFlags,
  terminal: Terminal,
): Promise<ReportReport> {
  const sweeps: Sweep[] = [];
  for (const path of paths) sweeps.push(await openSweep(path, set, (text) => warn(terminal, text)));
  const target = output ?? defaultTarget(sweeps);
  const { study, notices } = combineStudies(await loadStudyParts(sweeps));
  for (const text of [...notices, ...(study.problems ?? [])]) warn(terminal, text);
  const files = await writeReport(study, target, { planFigures: await planFigures(study, terminal) });
  return { ...studyResults(study), folder: target, files };
}

function defaultTarget(sweeps: readonly Sweep[]): string {
  const [only, another] = sweeps;
  if (only !== undefined && another === undefined) return join(only.folder, 'report');
  throw new LocalgradError(
    'invalid-option',
    'A report of several sweeps needs a folder of its own: add --output FOLDER.',
  );
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
  const command = program
    .command('report')
    .summary('write the report of one or more sweeps: tables with confidence intervals, tests, figures')
    .description(
      'Writes one self-contained page, and the same content as Markdown, LaTeX and CSV with figures as SVG and PNG. Works ' +
        'while the sweep is running, too: unfinished runs are listed as missing. With --json, also prints all results.',
    )
    .argument('<sweep...>', 'folders of sweeps, or their experiment files')
    .option('--output <folder>', "folder of the report (default for one sweep: 'report' in its folder)");
  addSetFlag(command).action((paths: string[], flags: ReportFlags) =>
    present(() => report(paths, flags, terminal), renderReport),
  );
}
