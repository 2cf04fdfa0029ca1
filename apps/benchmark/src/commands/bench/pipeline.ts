import {
  type BenchPipelineReport,
  benchPipeline,
  type PipelineRow,
  pipelineRecords,
  splitMethods,
} from '@localgrad/bench';
import { defaultMethod } from '@localgrad/catalog';
import { LocalgradError } from '@localgrad/core';
import { textTable } from '@localgrad/report';
import { type PlacementBasis, workerBackends } from '@localgrad/runs';
import { formatBytes } from '@localgrad/train';
import type { Command } from 'commander';
import { addConfigFlags, resolveRunConfig } from '../../config/flags.js';
import type { Presenter } from '../../present.js';
import type { Terminal } from '../../terminal.js';
import { parseShape } from '../explain.js';
import { addAccumulateFlag, wholeNumber, wholeNumbers, withFlagOf } from './arguments.js';
import { addOutputFlags, comparisonLines, type OutputFlags, placeLine, prepareOutput, times } from './output.js';

const basisNames: Readonly<Record<PlacementBasis, string>> = {
  time: 'measured time',
  work: 'predicted work',
  given: '',
  only: '',
};

const percent = (fraction: number) => `${(100 * fraction).toFixed(1)} %`;

export function renderBenchPipeline(report: BenchPipelineReport): string {
  const { options, rows } = report;
  return [
    `${options.backbone}, batch ${options.batch}, images ${options.image.join('×')}, ${options.repeats} turns of ${options.steps} steps`,
    placeLine(report),
    ...delayLines(options),
    '',
    textTable(
      [
        'method',
        'trained by',
        'modules',
        'divided by',
        'images/s',
        'min',
        'max',
        'speed',
        'predicted',
        'imbalance',
        'waiting',
        'peak',
      ],
      rows.map((row) => [
        row.method,
        trainedBy(row),
        row.placement ?? `0-${row.modules - 1}`,
        row.basis === null ? '' : basisNames[row.basis],
        row.imagesPerSecond.median.toFixed(1),
        row.imagesPerSecond.min.toFixed(1),
        row.imagesPerSecond.max.toFixed(1),
        times(row.relativeToProcess),
        row.predictedImagesPerSecond?.toFixed(1) ?? '',
        row.imbalance === null ? '' : times(row.imbalance),
        row.waitingShare === null ? '' : percent(row.waitingShare),
        row.peakBytes === null ? 'not counted' : formatBytes(row.peakBytes),
      ]),
      ['left', 'left', 'left', 'left', ...new Array<'right'>(8).fill('right')],
    ),
    '',
    'Imbalance: computing time of the slowest worker, relative to the mean. Waiting: fraction of its step. Peak: of one process, or the larger worker.',
    ...comparisonLines(report),
  ].join('\n');
}

function trainedBy({ workers, processes, threads }: PipelineRow): string {
  if (workers !== null) return `${workers} workers`;
  return processes === 1 ? `1 process, threads: ${threads}` : `${processes} copies in ${processes} processes`;
}

interface Flags extends OutputFlags {
  readonly methods: string[];
  readonly workerCounts: number[];
  readonly independent: boolean;
  readonly steps: number;
  readonly image: string;
  readonly classes: number;
  readonly accumulate: number;
  readonly repeats: number;
  readonly warmupTurns: number;
}

export function registerBenchPipeline(bench: Command, terminal: Terminal, present: Presenter): void {
  const command = bench
    .command('pipeline')
    .summary('throughput of workers beside one process')
    .description(
      'Measures one process with several threads and pipelines of workers with one thread each, in turns: ' +
        "throughput once the pipeline is full, imbalance, waiting, memory, and the simulator's prediction.",
    )
    .option(
      '--methods <list>',
      'method expressions, separated by spaces or by commas outside parentheses',
      splitMethods,
      [defaultMethod],
    )
    .option('--worker-counts <list>', 'numbers of workers', wholeNumbers, [2])
    .option(
      '--independent',
      'also measure one thread, and as many independent processes as workers: what the cores can do together',
      false,
    )
    .option('--steps <number>', 'timed steps per turn', wholeNumber, 20)
    .option('--repeats <number>', 'timed turns', wholeNumber, 5)
    .option('--warmup-turns <number>', 'untimed turns before them', wholeNumber, 1)
    .option('--image <shape>', 'height x width x channels', '32x32x3')
    .option('--classes <number>', 'number of classes', wholeNumber, 10);
  addConfigFlags(command, [
    ...(['backbone', 'width', 'modules', 'partition', 'stemModule', 'memory'] as const),
    ...(['batch', 'optimizer', 'backend', 'threads', 'relaxedSimd'] as const),
    ...(['delay', 'gradientDelay', 'gradientDelayCuts'] as const),
  ]);
  addOutputFlags(addAccumulateFlag(command), false)
    .addHelpText(
      'after',
      '\nExample:\n  localgrad bench pipeline --backbone resnet32 --modules 8 --methods dgl,infopro --worker-counts 2,4 --threads 2',
    )
    .action((flags: Flags) =>
      present(async () => {
        const finish = await prepareOutput(flags, pipelineRecords);
        const config = await resolveRunConfig(command);
        const { backbone, width, modules, partition, stemModule, memory, batch, optimizer, threads, relaxedSimd } =
          config;
        const { delay, gradientDelay, gradientDelayCuts } = config;
        const { methods, workerCounts, independent, steps, repeats, warmupTurns: warmup, classes, accumulate } = flags;
        const options = {
          ...{ backbone, width, modules, partition, stemModule, memory, batch, optimizer, relaxedSimd },
          ...{ methods, workerCounts, independent, steps, repeats, warmup, classes, accumulate },
          ...{ delay, gradientDelay, ...(gradientDelayCuts === undefined ? {} : { gradientDelayCuts }) },
          backend: workerBackendNamed(config.backend),
          // As many threads as the workers of the first pipeline have together.
          threads: threads === 'auto' ? (workerCounts[0] ?? 1) : threads,
          image: parseShape(flags.image),
        };
        return finish(await withFlagOf('workers', '--worker-counts', () => benchPipeline(options, terminal)));
      }, renderBenchPipeline),
    );
}

/** The backend of workers. @throws LocalgradError `invalid-option` */
function workerBackendNamed(name: string): (typeof workerBackends)[number] {
  const found = workerBackends.find((one) => one === (name === 'auto' ? 'wasm' : name));
  if (found !== undefined) return found;
  const allowed = workerBackends.join(', ');
  throw new LocalgradError('invalid-option', `--backend ${name}: workers cannot use it; allowed: ${allowed}.`);
}

function delayLines({ delay = 0, gradientDelay = 0, gradientDelayCuts }: BenchPipelineReport['options']): string[] {
  const steps = (count: number) => `${count} ${count === 1 ? 'step' : 'steps'}`;
  const where = gradientDelayCuts === undefined ? '' : ` at modules ${gradientDelayCuts}`;
  return [
    ...(delay === 0 ? [] : [`workers: averages follow weights of other modules ${steps(delay)} late`]),
    ...(gradientDelay === 0 ? [] : [`workers: gradients cross ${steps(gradientDelay)} late${where}`]),
  ];
}
