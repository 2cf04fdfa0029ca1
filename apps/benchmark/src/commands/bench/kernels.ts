import { type BenchKernelsReport, benchKernels, kernelRecords } from '@localgrad/bench';
import { textTable } from '@localgrad/report';
import type { Command } from 'commander';
import { addConfigFlags, resolveRunConfig } from '../../config/flags.js';
import type { Presenter } from '../../present.js';
import type { Terminal } from '../../terminal.js';
import { wholeNumber } from './arguments.js';
import { addOutputFlags, comparisonLines, type OutputFlags, placeLine, prepareOutput, times } from './output.js';

export function renderBenchKernels(report: BenchKernelsReport): string {
  const { backend, kernels, options, rows } = report;
  return [
    `training kernels '${kernels}' on backend ${backend}, batch ${options.batch}, ${options.repeats} repeats in turns with stock operations`,
    placeLine(report),
    '',
    textTable(
      ['kernel', 'shape', 'median ms', 'min', 'max', 'GFLOP/s', 'against stock'],
      rows.map(({ kernel, shape, milliseconds, gigaflops, relativeToStock }) => [
        kernel,
        shape,
        milliseconds.median.toFixed(3),
        milliseconds.min.toFixed(3),
        milliseconds.max.toFixed(3),
        gigaflops === null ? '' : gigaflops.toFixed(gigaflops < 10 ? 1 : 0),
        relativeToStock === null ? '' : times(relativeToStock, 3),
      ]),
      ['left', 'left', ...new Array<'right'>(5).fill('right')],
    ),
    ...comparisonLines(report),
  ].join('\n');
}

interface Flags extends OutputFlags {
  readonly repeats: number;
}

export function registerBenchKernels(bench: Command, terminal: Terminal, present: Presenter): void {
  const command = bench
    .command('kernels')
    .summary('each training kernel against stock TensorFlow.js')
    .description("Times the backend's training kernels at the shapes of ResNet-32, in turns with stock operations.")
    .option('--repeats <number>', 'timed runs of each', wholeNumber, 10);
  addConfigFlags(command, ['batch', 'backend', 'threads', 'relaxedSimd']);
  addOutputFlags(command, false).action((flags: Flags) =>
    present(async () => {
      const finish = await prepareOutput(flags, kernelRecords);
      const { batch, backend, threads, relaxedSimd } = await resolveRunConfig(command);
      return finish(await benchKernels({ batch, backend, threads, relaxedSimd, repeats: flags.repeats }, terminal));
    }, renderBenchKernels),
  );
}
