import {
  type BenchReport,
  benchStep,
  type PeerName,
  peerNames,
  splitMethods,
  stepFigure,
  stepRecords,
} from '@localgrad/bench';
import { defaultMethod, endToEndMethod } from '@localgrad/catalog';
import { textTable } from '@localgrad/report';
import { formatBytes } from '@localgrad/train';
import { type Command, InvalidArgumentError } from 'commander';
import { addConfigFlags, resolveRunConfig } from '../../config/flags.js';
import type { Presenter } from '../../present.js';
import type { Terminal } from '../../terminal.js';
import { parseShape } from '../explain.js';
import { addAccumulateFlag, wholeNumber } from './arguments.js';
import {
  addOutputFlags,
  comparisonLines,
  type OutputFlags,
  phaseLines,
  placeLine,
  prepareOutput,
  times,
} from './output.js';

export function renderBench(report: BenchReport): string {
  const { options, rows, missing } = report;
  const milliseconds = (value: number) => value.toFixed(value < 100 ? 1 : 0);
  return [
    `${options.backbone}, batch ${options.batch}, images ${options.image.join('×')}, ${options.repeats} repeats in turns`,
    placeLine(report),
    '',
    textTable(
      [
        'step of',
        'modules',
        'backend',
        'threads',
        'median ms',
        'min',
        'max',
        'images/s',
        'time',
        'peak memory',
        'memory',
        'without weights',
        'predicted',
        'units of work',
      ],
      rows.map((row) => [
        row.method,
        String(row.modules),
        row.backend,
        String(row.threads),
        milliseconds(row.stepMs.median),
        milliseconds(row.stepMs.min),
        milliseconds(row.stepMs.max),
        row.imagesPerSecond.toFixed(0),
        times(row.relativeToBackprop.time),
        row.peakBytes === null ? 'not counted' : formatBytes(row.peakBytes),
        row.relativeToBackprop.memory === null ? '' : times(row.relativeToBackprop.memory, 3),
        row.relativeToBackprop.stepMemory === null ? '' : times(row.relativeToBackprop.stepMemory, 3),
        row.predictedPeakBytes === null ? '' : formatBytes(row.predictedPeakBytes),
        row.unitsOfWork?.toFixed(1) ?? '',
      ]),
      ['left', 'right', 'left', ...new Array<'right'>(11).fill('right')],
    ),
    ...phaseLines(rows),
    ...deviceMemory(rows),
    ...beside(rows, 'relativeToLiteral', 'here, against its literal procedure'),
    ...beside(rows, 'relativeToOrdinary', 'recorded, against its ordinary step'),
    ...beside(rows, 'relativeToOneThread', 'here, against one thread'),
    ...besideStockTape(rows),
    ...beside(rows, 'relativeToPytorch', "here, against PyTorch's"),
    ...missing.map(({ name, reason }) => `\nMISSING ${name}: ${reason}`),
    ...comparisonLines(report),
  ].join('\n');
}

/** Memory in use according to the backend's runtime, in addition to the counted tensors. */
function deviceMemory(rows: BenchReport['rows']): string[] {
  const found = rows.find((row) => row.deviceMemory !== undefined)?.deviceMemory;
  return found === undefined
    ? []
    : [`\nIn use after the last step, all contestants here together: ${formatBytes(found.bytes)} (${found.method}).`];
}

type RelativeTo = 'relativeToLiteral' | 'relativeToOrdinary' | 'relativeToOneThread' | 'relativeToPytorch';

/** A line for each step that was measured beside another one of the same method. */
function beside(rows: BenchReport['rows'], key: RelativeTo, words: string): string[] {
  const lines = rows.flatMap(({ method, [key]: ratios }) => {
    if (ratios === undefined) return [];
    const [time, memory, stepMemory] = [ratios.time, ratios.memory, ratios.stepMemory].map((ratio) =>
      ratio?.toFixed(3),
    );
    return [`${method} ${words}: ${time} × the time, ${memory} × the memory (${stepMemory} × without weights).`];
  });
  return lines.length === 0 ? [] : ['', ...lines];
}

/** The end-to-end step relative to the same step in stock TensorFlow.js. */
function besideStockTape(rows: BenchReport['rows']): string[] {
  const [own, stock] = [endToEndMethod, 'stock-tape'].map((name) => rows.find(({ method }) => method === name));
  if (own === undefined || stock === undefined || own.peakBytes === null || stock.peakBytes === null) return [];
  const time = own.stepMs.median / stock.stepMs.median;
  const memory = own.peakBytes / stock.peakBytes;
  return [
    `\nEnd to end here, against stock TensorFlow.js: ${time.toFixed(3)} × the time, ${memory.toFixed(3)} × the memory.`,
  ];
}

interface Flags extends OutputFlags {
  readonly methods: string[];
  readonly image: string;
  readonly classes: number;
  readonly accumulate: number;
  readonly repeats: number;
  readonly warmupSteps: number;
  readonly include: PeerName[];
  readonly python?: string;
}

export function registerBenchStep(bench: Command, terminal: Terminal, present: Presenter): void {
  const step = bench
    .command('step')
    .summary('time and peak memory of a training step')
    .description(
      'Times training steps of methods, in turns, against end-to-end training; counts peak bytes of live tensors.',
    )
    .option(
      '--methods <list>',
      'method expressions, separated by spaces or by commas outside parentheses',
      splitMethods,
      [defaultMethod],
    )
    .option('--include <list>', `also measure: ${peerNames.join(', ')}`, splitPeers, [])
    .option('--python <path>', 'interpreter with PyTorch (default: LOCALGRAD_PYTHON, or python3)')
    .option('--repeats <number>', 'timed steps per method', wholeNumber, 10)
    .option('--warmup-steps <number>', 'untimed steps per method before them', wholeNumber, 2)
    .option('--image <shape>', 'height x width x channels', '32x32x3')
    .option('--classes <number>', 'number of classes', wholeNumber, 10);
  addConfigFlags(step, [
    'backbone',
    'width',
    'modules',
    'partition',
    'stemModule',
    'memory',
    'batch',
    'optimizer',
    'clipNorm',
    'backend',
    'threads',
    'relaxedSimd',
  ]);
  addOutputFlags(addAccumulateFlag(step))
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  localgrad bench step --backbone resnet32 --modules 16 --methods "dgl(head: 1c2f)" --batch 64\n' +
        '  localgrad bench step --backbone resnet32 --modules 8 --partition published --methods "mlaan(greedy)" --include literal\n' +
        '  localgrad bench step --backbone resnet32 --batch 64 --include stock-tape,pytorch --repeats 5',
    )
    .action((flags: Flags) =>
      present(async () => {
        const finish = await prepareOutput(flags, stepRecords, stepFigure);
        const config = await resolveRunConfig(step);
        const { backbone, width, modules, partition, stemModule } = config;
        const { memory, batch, optimizer, clipNorm, backend, threads, relaxedSimd } = config;
        const { methods, repeats, warmupSteps, include, classes, accumulate, python } = flags;
        const options = {
          ...{ backbone, width, modules, partition, stemModule },
          ...{ memory, batch, optimizer, clipNorm, backend, threads, relaxedSimd },
          methods,
          repeats,
          warmup: warmupSteps,
          include,
          classes,
          accumulate,
          image: parseShape(flags.image),
          ...(python === undefined ? {} : { python }),
        };
        return finish(await benchStep(options, terminal));
      }, renderBench),
    );
}

function splitPeers(text: string): PeerName[] {
  return text.split(',').map((name) => {
    const peer = peerNames.find((candidate) => candidate === name.trim());
    if (peer === undefined) throw new InvalidArgumentError(`Allowed: ${peerNames.join(', ')}.`);
    return peer;
  });
}
