import { checkOwnFile, markedSvg, type RecordedStepFacts, recordedStep, writeOwnFile } from '@localgrad/bench';
import { LocalgradError, type Shape3, shown } from '@localgrad/core';
import { explanationSvg, explanationText } from '@localgrad/report';
import { type Explanation, explain } from '@localgrad/runs';
import { formatBytes } from '@localgrad/train';
import type { Command } from 'commander';
import { addConfigFlags, resolveRunConfig, withFlagNames } from '../config/flags.js';
import { type MachineFlags, machinesOf } from '../config/machines.js';
import { extentsOf } from '../extents.js';
import type { Presenter } from '../present.js';

const largestExtent = 16_384;
const mostClasses = 1_000_000;

/** An explanation with the path of its figure, and what the webgpu backend records. */
interface ExplainReport extends Explanation {
  readonly recorded?: RecordedStepFacts;
  readonly svg?: string;
}

/** `32x32x3` @throws LocalgradError `invalid-option` */
export function parseShape(text: string): Shape3 {
  const extents = extentsOf(text);
  const isExtent = (extent: number) => Number.isInteger(extent) && extent >= 1 && extent <= largestExtent;
  const [height, width, channels] = extents;
  if (
    height === undefined ||
    width === undefined ||
    channels === undefined ||
    extents.length !== 3 ||
    !extents.every(isExtent)
  ) {
    throw new LocalgradError(
      'invalid-option',
      `--image: ${shown(text)}; allowed: height x width x channels, each from 1 to ${largestExtent}, e.g. 32x32x3.`,
    );
  }
  return [height, width, channels];
}

async function withFigure(explanation: ExplainReport, file: string | undefined): Promise<ExplainReport> {
  if (file === undefined) return explanation;
  await writeOwnFile('--svg', file, markedSvg(explanationSvg(explanation)));
  return { ...explanation, svg: file };
}

function recordedLines({ recorded }: ExplainReport): string[] {
  if (recorded === undefined) return [];
  const text =
    recorded.mode === 'ordinary'
      ? `Not recorded on WebGPU: ${recorded.reason}.`
      : `Recorded on WebGPU: ${recorded.dispatches} dispatches; arena ${formatBytes(recorded.arenaBytes)} for at most ${formatBytes(recorded.peakBytes)} of temporary tensors at once.`;
  return ['', text];
}

function renderReport(report: ExplainReport): string {
  return [
    explanationText(report),
    ...recordedLines(report),
    ...(report.svg === undefined ? [] : ['', `Figure written to ${report.svg}`]),
  ].join('\n');
}

export function registerExplain(program: Command, present: Presenter): void {
  const command = program
    .command('explain')
    .summary('print what a method does to a network, and what it costs')
    .description(
      'Prints modules, losses with the windows and weights that they train, leap chains and the blocks that their averages ' +
        'follow, units of work and predicted peak memory. Trains nothing.',
    )
    .argument('[file]', 'YAML file of a run, as for train')
    .option('--image <shape>', "height x width x channels (default: the model's, else 32x32x3)")
    .option('--classes <number>', "number of classes (default: the model's, else 10)")
    .option('--svg <file>', 'also write a figure to a .svg file')
    .option('--bandwidth <rate>', 'predict training with workers on machines with this network, e.g. 10Gbit')
    .option('--latency <time>', 'latency of that network, e.g. 1ms (default: none)')
    .option('--speed <rate>', 'multiply-accumulates per second of a machine (default: 10G)');
  addConfigFlags(command, [
    'method',
    'backbone',
    'width',
    'modules',
    'partition',
    'stemModule',
    'memory',
    'memoryBudget',
    'batch',
    'accumulate',
    'asynchronous',
    'optimizer',
    'clipNorm',
    'workers',
    'placement',
    'delay',
    'gradientDelay',
    'gradientDelayCuts',
    'backend',
  ])
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  localgrad explain --backbone resnet32 --modules 16 --method dgl\n' +
        '  localgrad explain --backbone resnet32 --modules 8 --method "mlaan(infopro)" --svg mlaan.svg\n' +
        '  localgrad explain --backbone resnet32 --modules 8 --workers 2 --bandwidth 10Gbit --latency 1ms',
    )
    .action((file: string | undefined, flags: MachineFlags & { image?: string; classes?: string; svg?: string }) =>
      present(async () => {
        if (flags.svg !== undefined) await checkOwnFile('--svg', flags.svg, ['.svg']);
        const config = await resolveRunConfig(command, file);
        const classes = flags.classes === undefined ? undefined : Number(flags.classes);
        if (classes !== undefined && (!Number.isInteger(classes) || classes < 2 || classes > mostClasses)) {
          throw new LocalgradError(
            'invalid-option',
            `--classes: ${shown(flags.classes)}; allowed: integers from 2 to ${mostClasses}.`,
          );
        }
        const machines = machinesOf(flags);
        const images = {
          ...(machines === undefined ? {} : { machines }),
          ...(flags.image === undefined ? {} : { image: parseShape(flags.image) }),
          ...(classes === undefined ? {} : { classes }),
        };
        const explanation = await withFlagNames(() => explain({ ...config, ...images }), command, file);
        const { image: shape, classes: count } = explanation;
        const recorded =
          config.backend === 'webgpu' && config.asynchronous === 'none'
            ? { recorded: await recordedStep({ ...config, image: shape, classes: count }) }
            : {};
        return withFigure({ ...explanation, ...recorded }, flags.svg);
      }, renderReport),
    );
}
