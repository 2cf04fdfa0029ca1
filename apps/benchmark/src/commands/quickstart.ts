import { textTable } from '@localgrad/report';
import { formatBytes, formatSeconds } from '@localgrad/train';
import type { Command } from 'commander';
import type { Presenter } from '../present.js';
import { type QuickstartOptions, type QuickstartReport, quickstart } from '../quickstart/quickstart.js';
import type { Terminal } from '../terminal.js';
import { threadCountOrAuto, wholeNumber } from '../whole-number.js';

const defaultFolder = 'localgrad-quickstart';

/** The comparison as a table. */
export function renderQuickstart({ runs, dataset, totalSeconds, report, counts }: QuickstartReport): string {
  const [first] = runs;
  const numbers = runs.map((run) => run.seeds.length);
  const [fewest, most] = [Math.min(...numbers), Math.max(0, ...numbers)];
  const diverged = counts.finished - numbers.reduce((sum, number) => sum + number, 0);
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  const points = (value: number) => {
    const text = Math.abs(100 * value).toFixed(1);
    return `${value < 0 && text !== '0.0' ? '−' : '+'}${text}`;
  };
  const setting =
    `${dataset.name}: ${dataset.trainImages} training and ${dataset.testImages} test images, ` +
    `${first?.config.backbone} of width ${first?.config.width}, ${first?.config.epochs} epochs, ` +
    `${most === 1 ? 'one seed' : `mean of ${fewest < most ? `${fewest} to ${most}` : most} seeds`}`;
  const rows = runs.map((run) => {
    const ratio = run.isReference ? null : run.relativeToBackprop;
    return [
      run.label,
      String(run.modules),
      percent(run.testAccuracy),
      ratio === null ? '' : `${points(ratio.accuracy)} points`,
      formatBytes(run.peakBytes),
      ratio === null ? '' : `${ratio.memory.toFixed(2)} ×`,
      formatSeconds(run.seconds),
      ratio === null ? '' : `${ratio.time.toFixed(2)} ×`,
    ];
  });
  const unfinished = Object.entries(counts).filter(([status, count]) => status !== 'finished' && count > 0);
  return [
    '',
    setting,
    '',
    textTable(['trained', 'modules', 'test accuracy', '', 'peak memory', '', 'training time', ''], rows, [
      'left',
      'right',
      'right',
      'right',
      'right',
      'right',
      'right',
      'right',
    ]),
    '',
    ...(unfinished.length === 0
      ? []
      : [
          `Not finished: ${unfinished.map(([status, count]) => `${count} ${status}`).join(', ')}. Run again to resume.`,
        ]),
    ...(diverged > 0 ? [`${diverged} of ${counts.finished} runs diverged; the means omit them.`] : []),
    `Report: ${report}   (${formatSeconds(totalSeconds)} in total)`,
  ].join('\n');
}

export function registerQuickstart(program: Command, terminal: Terminal, present: Presenter): void {
  program
    .command('quickstart')
    .summary('train a ResNet on real images in four ways, compare, write a report')
    .description(
      'Trains a small ResNet on 5,000 embedded Fashion-MNIST images end to end, greedily, with DGL and with MLAAN, prints ' +
        'accuracy, peak memory and time side by side, and writes a report. Downloads nothing; takes a minute or two. If it ' +
        'is interrupted, run the same command again to resume.',
    )
    .option('--seeds <number>', 'runs of each method', wholeNumber, 3)
    .option('--epochs <number>', 'number of epochs', wholeNumber, 4)
    .option('--backend <name>', 'TensorFlow.js backend; wasm is the fastest for a network this small', 'wasm')
    .option(
      '--threads <number>',
      'threads of the backend, or auto; a network this small gains nothing from more than one',
      threadCountOrAuto,
      1,
    )
    .option('--no-relaxed-simd', 'disable relaxed SIMD on wasm: slower, but the same bits on every machine')
    .option('--output <folder>', 'folder of the runs and the report', defaultFolder)
    .action((flags: QuickstartOptions) => present(() => quickstart(flags, terminal), renderQuickstart));
}
