import { type BenchMemoryReport, benchMemory, memoryFigure, memoryRecords, splitMethods } from '@localgrad/bench';
import { defaultMethod } from '@localgrad/catalog';
import { textTable } from '@localgrad/report';
import { formatBytes } from '@localgrad/train';
import { type Command, Option } from 'commander';
import { addConfigFlags, resolveRunConfig } from '../../config/flags.js';
import type { Presenter } from '../../present.js';
import type { Terminal } from '../../terminal.js';
import { parseShape } from '../explain.js';
import { addAccumulateFlag, byteCount, wholeNumber } from './arguments.js';
import { addOutputFlags, comparisonLines, type OutputFlags, placeLine, prepareOutput, times } from './output.js';

export function renderBenchMemory(report: BenchMemoryReport): string {
  const { options, backend, rows } = report;
  return [
    `${options.backbone}, images ${options.image.join('×')}, backend ${backend}: largest batch within ${formatBytes(options.budgetBytes)}`,
    placeLine(report),
    '',
    textTable(
      ['training with', 'modules', 'largest batch', '', 'weights', 'per image', 'measured at', 'peak', 'predicted'],
      rows.map(({ method, modules, largestBatch, relativeToBackprop, residentBytes, bytesPerImage, measured }) => [
        method,
        String(modules),
        String(largestBatch),
        times(relativeToBackprop),
        formatBytes(residentBytes),
        formatBytes(bytesPerImage),
        measured === null ? '' : `batch ${measured.batch}`,
        measured === null ? (largestBatch === 0 ? 'nothing fits' : 'not measured') : formatBytes(measured.peakBytes),
        measured === null ? '' : formatBytes(measured.predictedBytes),
      ]),
      ['left', ...new Array<'right'>(8).fill('right')],
    ),
    '',
    'Weights include averages and optimizer state. The largest batch follows from the predicted peak, or from the measured one where that is higher.',
    ...comparisonLines(report),
  ].join('\n');
}

interface Flags extends OutputFlags {
  readonly methods: string[];
  readonly image: string;
  readonly classes: number;
  readonly accumulate: number;
  readonly budget: number;
  readonly measureUpTo: number;
}

export function registerBenchMemory(bench: Command, terminal: Terminal, present: Presenter): void {
  const command = bench
    .command('memory')
    .summary('largest batch that fits a memory budget')
    .description(
      'Finds the largest batch that fits a budget, for each method and for end-to-end training with and without recomputation, from predicted peaks; runs real steps to correct the prediction.',
    )
    .addOption(
      new Option('--budget <bytes>', 'memory budget of a step, including weights')
        .argParser(byteCount)
        .default(byteCount('512MiB'), '512MiB'),
    )
    .option(
      '--methods <list>',
      'method expressions, separated by spaces or by commas outside parentheses',
      splitMethods,
      [defaultMethod],
    )
    .option('--measure-up-to <batch>', 'largest batch of a real step', wholeNumber, 128)
    .option('--image <shape>', 'height x width x channels', '32x32x3')
    .option('--classes <number>', 'number of classes', wholeNumber, 10);
  addConfigFlags(command, [
    'backbone',
    'width',
    'modules',
    'partition',
    'stemModule',
    'memory',
    'optimizer',
    'clipNorm',
    'backend',
    'threads',
  ]);
  addOutputFlags(addAccumulateFlag(command))
    .addHelpText(
      'after',
      '\nExample:\n  localgrad bench memory --budget 256MiB --backbone resnet32 --modules 16 --methods "dgl(head: 1c2f) mlaan(greedy)" --figure memory',
    )
    .action((flags: Flags) =>
      present(async () => {
        const finish = await prepareOutput(flags, memoryRecords, memoryFigure);
        const config = await resolveRunConfig(command);
        const { backbone, width, modules, partition, stemModule } = config;
        const { memory, optimizer, clipNorm, backend, threads } = config;
        const network = {
          ...{ backbone, width, modules, partition, stemModule },
          ...{ memory, optimizer, clipNorm, backend, threads },
        };
        const { methods, budget, measureUpTo, classes, accumulate } = flags;
        const image = parseShape(flags.image);
        const options = { ...network, methods, budgetBytes: budget, measureUpTo, classes, accumulate, image };
        return finish(await benchMemory(options, terminal));
      }, renderBenchMemory),
    );
}
