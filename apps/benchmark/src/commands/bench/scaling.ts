import { type BenchScalingReport, benchScaling, scalingFigure, scalingRecords, splitMethods } from '@localgrad/bench';
import { textTable } from '@localgrad/report';
import { formatBytes } from '@localgrad/train';
import type { Command } from 'commander';
import { addConfigFlags, resolveRunConfig } from '../../config/flags.js';
import type { Presenter } from '../../present.js';
import type { Terminal } from '../../terminal.js';
import { parseShape } from '../explain.js';
import { addAccumulateFlag, wholeNumber, wholeNumbers, withFlagOf } from './arguments.js';
import {
  addOutputFlags,
  comparisonLines,
  type OutputFlags,
  phaseLines,
  placeLine,
  prepareOutput,
  times,
} from './output.js';

export function renderBenchScaling(report: BenchScalingReport): string {
  const { options, backend, rows } = report;
  return [
    `batch ${options.batch}, images ${options.image.join('×')}, backend ${backend}, ${options.repeats} repeats in turns`,
    placeLine(report),
    '',
    textTable(
      [
        'depth',
        'step of',
        'modules',
        'median ms',
        'min',
        'max',
        'time',
        'peak',
        'memory',
        'predicted',
        'units of work',
      ],
      rows.map((row) => [
        String(row.depth),
        row.method,
        String(row.modules),
        row.stepMs.median.toFixed(1),
        row.stepMs.min.toFixed(1),
        row.stepMs.max.toFixed(1),
        times(row.relativeToBackprop.time),
        row.peakBytes === null ? 'not counted' : formatBytes(row.peakBytes),
        times(row.relativeToBackprop.memory, 3),
        row.predictedPeakBytes === null ? '' : formatBytes(row.predictedPeakBytes),
        row.unitsOfWork?.toFixed(2) ?? '',
      ]),
      ['right', 'left', ...new Array<'right'>(9).fill('right')],
    ),
    ...phaseLines(rows),
    ...comparisonLines(report),
  ].join('\n');
}

interface Flags extends OutputFlags {
  readonly methods: string[];
  readonly depths: number[];
  readonly moduleCounts: number[];
  readonly image: string;
  readonly classes: number;
  readonly accumulate: number;
  readonly repeats: number;
  readonly warmupSteps: number;
}

export function registerBenchScaling(bench: Command, terminal: Terminal, present: Presenter): void {
  const command = bench
    .command('scaling')
    .summary('time and memory by depth and number of modules')
    .description('Times steps of CIFAR ResNets of growing depth, cut into growing numbers of modules, in turns.')
    .option('--depths <list>', 'depths 6n + 2 of CIFAR ResNets', wholeNumbers, [8, 20, 32, 56, 110])
    .option('--module-counts <list>', 'numbers of modules', wholeNumbers, [4, 16])
    .option(
      '--methods <list>',
      'method expressions, separated by spaces or by commas outside parentheses',
      splitMethods,
      ['dgl(head:1c2f)'],
    )
    .option('--repeats <number>', 'timed steps per method', wholeNumber, 5)
    .option('--warmup-steps <number>', 'untimed steps per method before them', wholeNumber, 2)
    .option('--image <shape>', 'height x width x channels', '32x32x3')
    .option('--classes <number>', 'number of classes', wholeNumber, 10);
  addConfigFlags(command, [
    ...(['width', 'stemModule', 'memory', 'batch', 'optimizer', 'clipNorm'] as const),
    ...(['backend', 'threads', 'relaxedSimd'] as const),
  ]);
  addOutputFlags(addAccumulateFlag(command))
    .addHelpText(
      'after',
      '\nExample:\n  localgrad bench scaling --depths 8,32,110 --module-counts 4,16 --batch 32 --figure scaling',
    )
    .action((flags: Flags) =>
      present(async () => {
        const finish = await prepareOutput(flags, scalingRecords, scalingFigure);
        const { width, stemModule, memory, batch, optimizer, clipNorm, backend, threads, relaxedSimd } =
          await resolveRunConfig(command);
        const { methods, depths, moduleCounts, repeats, warmupSteps: warmup, classes, accumulate } = flags;
        const image = parseShape(flags.image);
        const network = {
          width,
          partition: 'even' as const,
          stemModule,
          memory,
          batch,
          optimizer,
          clipNorm,
          accumulate,
          backend,
          threads,
          relaxedSimd,
          classes,
          image,
        };
        const options = { ...network, methods, depths, moduleCounts, repeats, warmup };
        return finish(await withFlagOf('backbone', '--depths', () => benchScaling(options, terminal)));
      }, renderBenchScaling),
    );
}
