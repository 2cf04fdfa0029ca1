import { join } from 'node:path';
import { selectBackend } from '@localgrad/backends';
import {
  checkMemory,
  consoleProgress,
  formatBytes,
  formatSeconds,
  train as runTraining,
  type TrainingResult,
} from '@localgrad/train';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { addConfigFlags, resolveRunConfig } from '../config/flags.js';
import type { RunConfig } from '../config/run-config.js';
import { hashOf } from '../json.js';
import type { Presenter } from '../present.js';
import { loadData, prepareRun } from '../run.js';
import { createFolder, metricsFile, writeWhole } from '../run-folder.js';
import type { Terminal } from '../terminal.js';

export interface TrainReport extends TrainingResult {
  /** Hash of the resolved config. */
  readonly runId: string;
  readonly folder: string;
  readonly backend: string;
  readonly config: RunConfig;
}

/**
 * Trains one run. Its folder holds `config.yaml` (resolved), `metrics.jsonl` (every event) and `summary.json`.
 *
 * @param output folder; default `localgrad-runs/<runId>`
 */
export async function train(config: RunConfig, terminal: Terminal, output?: string): Promise<TrainReport> {
  const runId = hashOf(config);
  const folder = output ?? join('localgrad-runs', runId);
  const data = await loadData(config);
  const backend = await selectBackend(config.backend, { threads: config.threads });
  try {
    const run = await prepareRun(config, data);
    try {
      // Before anything is written: a run that cannot start leaves no folder behind.
      checkMemory(run.compiled, config.batch, backend.availableBytes());
      await createFolder(folder);
      await writeWhole(join(folder, 'config.yaml'), stringify(config));
      const result = await runTraining({
        ...run.options,
        availableBytes: backend.availableBytes(),
        observers: [consoleProgress(terminal.stderr), metricsFile(folder)],
        ...(terminal.signal === undefined ? {} : { signal: terminal.signal }),
      });
      const report = { runId, folder, backend: backend.name, ...result, config };
      await writeWhole(join(folder, 'summary.json'), `${JSON.stringify(report, null, 2)}\n`);
      return report;
    } finally {
      run.dispose();
    }
  } finally {
    backend.dispose();
  }
}

export function renderTrain({
  testAccuracy,
  bestTestAccuracy,
  peakBytes,
  seconds,
  totalSeconds,
  folder,
}: TrainReport): string {
  const percent = (value: number | null) => (value === null ? '–' : `${(100 * value).toFixed(2)} %`);
  return [
    `test accuracy   ${percent(testAccuracy)} (best ${percent(bestTestAccuracy)})`,
    `peak memory     ${formatBytes(peakBytes)} of live tensors during training steps`,
    `time            ${formatSeconds(seconds)} of training steps, ${formatSeconds(totalSeconds)} with evaluation`,
    `run folder      ${folder}`,
  ].join('\n');
}

export function registerTrain(program: Command, terminal: Terminal, present: Presenter): void {
  const command = program
    .command('train')
    .summary('train one run from flags or a YAML file')
    .description('Trains one run. Flags override the file; keys of the file are the flags in camelCase.')
    .argument('[file]', 'YAML file with any of the options below')
    .option('--output <folder>', 'run folder (default: localgrad-runs/<run id>)');
  addConfigFlags(command)
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  localgrad train --backbone resnet14 --width 4 --modules 7 --method dgl --resize 16\n' +
        '  localgrad train run.yaml --seed 2 --json',
    )
    .action((file: string | undefined, flags: { output?: string }) =>
      present(async () => train(await resolveRunConfig(command, file), terminal, flags.output), renderTrain),
    );
}
