import { LocalgradError } from '@localgrad/core';
import type { ExecuteOptions, MachineOptions, RunConfig, RunSummary, TrackerOptions } from '@localgrad/runs';
import {
  defaultRunFolder,
  executeRun,
  type KeepOptions,
  loadData,
  onMachines,
  openMachines,
  serveRun,
} from '@localgrad/runs';
import {
  consoleProgress,
  formatBytes,
  formatMetric,
  formatSeconds,
  type MetricResults,
  resultsOf,
} from '@localgrad/train';
import { type Command, Option } from 'commander';
import { addConfigFlags, resolveRunConfig, withFlagNames } from '../config/flags.js';
import { httpUrl } from '../http-url.js';
import type { Presenter } from '../present.js';
import { type Terminal, warn } from '../terminal.js';
import { wholeNumber } from '../whole-number.js';
import { addMachineFlags, type MachineFlags, machineOptions } from './machines.js';

export interface TrainRunOptions {
  /** Run folder; default `localgrad-runs/<run id>`. */
  readonly output?: string | undefined;
  /** Default `auto`. */
  readonly resume?: 'auto' | 'never' | undefined;
  readonly keep?: KeepOptions;
  readonly trackers?: TrackerOptions;
  /** The machines of all workers but the first. */
  readonly machines?: ExecuteOptions['machines'];
}

export interface TrainReport extends RunSummary {
  readonly folder: string;
  /** The run had finished before and was not repeated. */
  readonly wasFinished: boolean;
}

/** Result of a machine that has trained for the run of another one. */
export interface ServeReport {
  readonly rank: number;
  readonly machines: number;
}

/**
 * Trains one run in a folder of its own, or resumes it.
 *
 * @throws LocalgradError `misuse` if another process is working on the same run
 */
export async function trainRun(
  config: RunConfig,
  terminal: Terminal,
  options: TrainRunOptions = {},
): Promise<TrainReport> {
  const { machines } = options;
  const signals = [terminal.signal, machines?.signal].filter((signal) => signal !== undefined);
  const signal = AbortSignal.any(signals);
  const data = await loadData(config);
  signal.throwIfAborted();
  const folder = options.output ?? (await defaultRunFolder(config, data));
  const result = await executeRun({
    config,
    folder,
    data,
    resume: options.resume ?? 'auto',
    ...(options.keep === undefined ? {} : { keep: options.keep }),
    ...(options.trackers === undefined ? {} : { trackers: options.trackers }),
    observers: [consoleProgress(terminal.stderr)],
    signal,
    machines,
    onProblem: (message) => warn(terminal, message),
  });
  if (result === undefined) {
    throw new LocalgradError('misuse', `Another process is working on the run in '${folder}'.`, { folder });
  }
  return { ...result.summary, folder, wasFinished: result.wasFinished };
}

/** Rank 0 of a run on several machines: trains the run, and ends the others, with the reason if it fails. */
async function trainOnMachines(
  config: RunConfig,
  machine: MachineOptions,
  terminal: Terminal,
  options: TrainRunOptions,
): Promise<TrainReport> {
  const machines = await openMachines(config, machine);
  let failure: unknown;
  try {
    return await trainRun(onMachines(config, machines.ranks), terminal, { ...options, machines });
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    await machines.close(failure);
  }
}

/** Any other rank. */
async function serve(config: RunConfig, machine: MachineOptions): Promise<ServeReport> {
  await serveRun(config, machine);
  return { rank: machine.member.rank, machines: machine.member.ranks };
}

function renderServed({ rank, machines }: ServeReport): string {
  return `rank ${rank} of ${machines} machines: the run has ended; its results are on rank 0`;
}

export function renderTrain(report: TrainReport): string {
  const { testMetrics, peakBytes, seconds, totalSeconds, folder, wasFinished, divergence, timing } = report;
  const results = resultsOf(report);
  const { metric, test, bestTest } = results;
  return [
    ...(divergence === null || divergence === undefined
      ? []
      : [`DIVERGED        ${divergence}: the ${metric.name} below is not a result`]),
    ...(test === null
      ? Object.entries(testMetrics ?? {}).map(([name, value]) => `${`test ${name}`.padEnd(16)}${value.toPrecision(4)}`)
      : [
          `${`test ${metric.name}`.padEnd(15)} ${valueText(test, metric)} (best ${valueText(bestTest, metric)})`,
          ...furtherMetrics(testMetrics, metric),
        ]),
    ...(results.validation === null ? [] : [validationLine(results)]),
    `peak memory     ${formatBytes(peakBytes)} of live tensors during training steps`,
    `time            ${formatSeconds(seconds)} of training steps, ${formatSeconds(totalSeconds)} with evaluation`,
    ...(timing === undefined ? [] : timingLines(timing)),
    `run folder      ${folder}${wasFinished ? ' (finished before; --resume never runs it again)' : ''}`,
  ].join('\n');
}

function valueText(value: number | null, metric: { readonly name: string }): string {
  return value === null ? '–' : formatMetric(metric, value);
}

/** Metrics besides the one that chooses epochs, and those of every classifier. */
function furtherMetrics(metrics: TrainReport['testMetrics'], { name: main }: MetricResults['metric']): string[] {
  const common = main === 'accuracy' ? ['loss', 'accuracy', 'top5'] : ['loss', 'top5', main];
  const further = Object.entries(metrics ?? {}).filter(([name]) => !common.includes(name));
  return further.map(([name, value]) => `${`test ${name}`.padEnd(18)} ${valueText(value, { name })}`);
}

function validationLine({ metric, validation, best }: MetricResults): string {
  const chosen =
    best === null
      ? ''
      : ` (best ${valueText(best.value, metric)} after epoch ${best.epoch}, with test ${metric.name} ${valueText(best.test, metric)})`;
  return `validation      ${valueText(validation, metric)}${chosen}`;
}

/** What `explain` predicts of the simulation, as asynchronous workers have done. */
function timingLines(timing: NonNullable<TrainReport['timing']>): string[] {
  const text = (values: readonly string[]) => values.join(' ');
  return [
    `updates         ${text(timing.map((one) => one.updatesPerBatch.toFixed(2)))} per batch, of modules 0 to ${timing.length - 1}`,
    `age of batches  ${text(timing.map((one) => one.meanAge.toFixed(1)))} batches on average; repeated: ${text(timing.map((one) => `${(100 * one.repeated).toFixed(0)} %`))}`,
  ];
}

interface TrainFlags extends TrackerOptions, MachineFlags {
  readonly output?: string;
  readonly resume: 'auto' | 'never';
  readonly checkpointEpochs?: number;
  readonly checkpointSteps?: number;
  readonly keepLast?: number;
  readonly keepBest?: boolean;
}

export function registerTrain(program: Command, terminal: Terminal, present: Presenter): void {
  const command = program
    .command('train')
    .summary('train one run from flags or a YAML file')
    .description(
      'Trains one run. Flags override the file, whose keys are the flags from --method to --log-every in camelCase (nesterov: false for --no-nesterov). Exit code 3: the run diverged.',
    )
    .argument('[file]', 'YAML file with the settings of the run')
    .option('--output <folder>', 'run folder (default: localgrad-runs/<run id>)')
    .addOption(
      new Option(
        '--resume <how>',
        'auto resumes an interrupted run; never starts over and replaces the run in the folder',
      )
        .choices(['auto', 'never'])
        .default('auto'),
    )
    .option('--checkpoint-epochs <number>', 'number of epochs between checkpoints (default: 1)', wholeNumber)
    .option('--checkpoint-steps <number>', 'number of steps between further checkpoints (default: none)', wholeNumber)
    .option(
      '--keep-last <number>',
      'number of checkpoints to keep, also after the run has finished (default: 2, then none)',
      wholeNumber,
    )
    .option(
      '--keep-best',
      'also keep the checkpoint with the best accuracy, or --metric: on validation images if there are any, else on test images',
    )
    .option('--tensorboard', 'also write TensorBoard event files into the run folder')
    .option('--csv', 'also write epochs.csv into the run folder, one row per epoch')
    .option('--mlflow <url>', 'also report to an MLflow server (token: MLFLOW_TRACKING_TOKEN)', httpUrl)
    .option('--mlflow-experiment <name>', 'MLflow experiment (default: localgrad)');
  addMachineFlags(addConfigFlags(command))
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  localgrad train --backbone resnet14 --width 4 --modules 7 --method dgl --resize 16\n' +
        '  localgrad train run.yaml --seed 2 --json\n' +
        '  localgrad train run.yaml --checkpoint-steps 100    # interrupted? run it again to resume',
    )
    .action((file: string | undefined, flags: TrainFlags) =>
      present(
        async () =>
          withFlagNames(
            async () => {
              if (flags.mlflow === undefined && flags.mlflowExperiment !== undefined) {
                throw new LocalgradError(
                  'invalid-option',
                  '--mlflow-experiment: has no effect without --mlflow <url>.',
                );
              }
              const config = await resolveRunConfig(command, file);
              const machine = await machineOptions(config, flags, terminal);
              if (machine !== undefined && machine.member.rank > 0) return serve(config, machine);
              const options = runOptions(flags);
              return machine === undefined
                ? trainRun(config, terminal, options)
                : trainOnMachines(config, machine, terminal, options);
            },
            command,
            file,
          ),
        (report: TrainReport | ServeReport) => ('folder' in report ? renderTrain(report) : renderServed(report)),
      ),
    );
}

function runOptions(flags: TrainFlags): TrainRunOptions {
  const { output, resume, tensorboard, csv, mlflow, mlflowExperiment } = flags;
  return {
    output,
    resume,
    trackers: { tensorboard, csv, mlflow, mlflowExperiment },
    keep: {
      everyEpochs: flags.checkpointEpochs,
      everySteps: flags.checkpointSteps,
      keepLast: flags.keepLast,
      keepBest: flags.keepBest,
    },
  };
}
