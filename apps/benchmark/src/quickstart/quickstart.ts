import { LocalgradError } from '@localgrad/core';
import { checkedSweep, type Experiment, loadStudy, quoted, type Sweep, type SweepStatus } from '@localgrad/experiments';
import { configProblemOf } from '@localgrad/runs';
import { report } from '../commands/report.js';
import { executeSweep } from '../sweep/execute-sweep.js';
import type { Terminal } from '../terminal.js';
import { type QuickstartSettings, quickstartExperiment } from './experiment.js';
import { type QuickstartResults, quickstartResults } from './results.js';
import { warmUp } from './warm-up.js';

export interface QuickstartOptions extends QuickstartSettings {
  /** Folder of the sweep and its report. */
  readonly output: string;
}

export interface QuickstartReport extends QuickstartResults {
  readonly folder: string;
  /** Path of the report page. */
  readonly report: string;
  /** Wall-clock time of the command. */
  readonly totalSeconds: number;
  readonly counts: SweepStatus['counts'];
  /** Whether all runs are finished. */
  readonly passed: boolean;
}

/**
 * Trains one ResNet in four ways on the embedded images and writes a report: the sweep of the shipped experiment file, in
 * this process. The same call resumes an interrupted one.
 */
export async function quickstart(options: QuickstartOptions, terminal: Terminal): Promise<QuickstartReport> {
  const start = performance.now();
  const { output: folder, ...settings } = options;
  const experiment = await quickstartExperiment(settings);
  const sweep = await preparedSweep(experiment, options);
  const { counts, runs } = await executeSweep(
    sweep,
    { executor: 'debug', isChecked: true, beforeFirst: warmUp },
    terminal,
  );
  const { files } = await report([folder], {}, terminal);
  return {
    ...(await quickstartResults(await loadStudy(sweep))),
    folder,
    report: files.html,
    totalSeconds: (performance.now() - start) / 1000,
    counts,
    passed: counts.finished === runs,
  };
}

/**
 * Writes the folder, unless a condition cannot run. Errors have the key of the config, so that the command line names the flag: the
 * experiment file is not the user's.
 */
async function preparedSweep(experiment: Experiment, options: QuickstartOptions): Promise<Sweep> {
  const place = { folder: options.output, option: '--output', command: commandOf(options) };
  try {
    return (await checkedSweep({ experiment, ...place, runsHere: true })).sweep;
  } catch (error) {
    if (LocalgradError.isInstance(error) && configProblemOf(error.cause) !== undefined) throw error.cause;
    throw error;
  }
}

/** The command that repeats this, for the report. */
function commandOf({ seeds, epochs, backend, threads, relaxedSimd = true, output }: QuickstartOptions): string {
  const flags = { seeds, epochs, backend, threads, output };
  return [
    'localgrad quickstart',
    ...Object.entries(flags).map(([name, value]) => `--${name} ${quoted(String(value))}`),
    ...(relaxedSimd ? [] : ['--no-relaxed-simd']),
  ].join(' ');
}
