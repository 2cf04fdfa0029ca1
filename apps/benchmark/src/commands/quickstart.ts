import { formatBytes, formatSeconds } from '@localgrad/train';
import { type Command, InvalidArgumentError } from 'commander';
import type { Presenter } from '../present.js';
import { type QuickstartReport, quickstart } from '../quickstart/quickstart.js';
import type { Terminal } from '../terminal.js';
import { textTable } from '../text-table.js';

/** The comparison as a table. */
export function renderQuickstart({ runs, dataset, totalSeconds, report }: QuickstartReport): string {
  const seeds = runs[0]?.seeds.length ?? 1;
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  const points = (value: number) => `${value < 0 ? '−' : '+'}${Math.abs(100 * value).toFixed(1)}`;
  return [
    '',
    `${dataset.name}: ${dataset.trainImages} training and ${dataset.testImages} test images, ` +
      `${runs[0]?.config.backbone} of width ${runs[0]?.config.width}, ${runs[0]?.config.epochs} epochs, ` +
      `${seeds === 1 ? 'one seed' : `mean of ${seeds} seeds`}`,
    '',
    textTable(
      ['trained', 'modules', 'test accuracy', '', 'peak memory', '', 'training time', ''],
      runs.map((run) => [
        run.label,
        String(run.modules),
        percent(run.testAccuracy),
        run.method === 'backprop' ? '' : `${points(run.relativeToBackprop.accuracy)} points`,
        formatBytes(run.peakBytes),
        `${run.relativeToBackprop.memory.toFixed(2)} ×`,
        formatSeconds(run.seconds),
        `${run.relativeToBackprop.time.toFixed(2)} ×`,
      ]),
      ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
    ),
    '',
    `Report: ${report}   (${formatSeconds(totalSeconds)} in all)`,
  ].join('\n');
}

export function registerQuickstart(program: Command, terminal: Terminal, present: Presenter): void {
  program
    .command('quickstart')
    .summary('train a ResNet on real images in four ways, compare, write a report')
    .description(
      'Trains a small ResNet on 5,000 embedded Fashion-MNIST images end to end, greedily and with DGL at K = 7, ' +
        'prints accuracy, peak memory and time side by side, and writes an HTML report. Needs no download; about half a minute.',
    )
    .option('--seeds <number>', 'runs of each method', wholeNumber, 3)
    .option('--epochs <number>', 'passes over the training images', wholeNumber, 4)
    .option('--backend <name>', 'TensorFlow.js backend; for so small a network none is faster than wasm', 'wasm')
    .option(
      '--threads <number>',
      'threads of the backend, or auto; so small a network gains nothing from more than one',
      (text) => (text === 'auto' ? text : wholeNumber(text)),
      1,
    )
    .option('--output <folder>', 'folder of the report', 'localgrad-report')
    .action((flags: { seeds: number; epochs: number; backend: string; threads: number | 'auto'; output: string }) =>
      present(() => quickstart(flags, terminal), renderQuickstart),
    );
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('Allowed: integers ≥ 1.');
  return value;
}
