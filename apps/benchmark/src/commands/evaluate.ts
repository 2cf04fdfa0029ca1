import { textTable } from '@localgrad/report';
import { type EvaluateRunOptions, evaluateRun, exportedCheckpoints, type RunEvaluation } from '@localgrad/runs';
import { formatSeconds, isAveraged } from '@localgrad/train';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Presenter } from '../present.js';
import { type Terminal, warn } from '../terminal.js';
import { threadCountOrAuto, wholeNumber } from '../whole-number.js';

export function renderEvaluation(evaluation: RunEvaluation): string {
  const { method, backbone, dataset, backend, scales, flip, samples, metrics, recorded, seconds } = evaluation;
  const names = Object.keys(metrics);
  return [
    `network     ${backbone} by ${method}, ${weightsText(evaluation)}`,
    `images      ${samples} test images of ${dataset}`,
    ...(isAveraged({ scales, flip })
      ? [`average     scales ${scales.join(', ')}${flip ? ', each also mirrored' : ''}`]
      : []),
    `time        ${formatSeconds(seconds)} on ${backend}`,
    '',
    textTable(
      ['metric', 'value', ...(recorded === null ? [] : ['in training'])],
      names.map((name) => [
        name,
        valueText(name, metrics[name]),
        ...(recorded === null ? [] : [valueText(name, recorded[name])]),
      ]),
      ['left', 'right', 'right'],
    ),
  ].join('\n');
}

function weightsText({ checkpoint }: RunEvaluation): string {
  if (checkpoint === undefined) return 'final weights';
  const { step, epochs } = checkpoint;
  return `checkpoint of step ${step}, after ${epochs === 1 ? '1 epoch' : `${epochs} epochs`}`;
}

/** Only metrics of label maps and classes are known to be fractions. */
const fractions: readonly string[] = ['accuracy', 'top5', 'meanAccuracy', 'meanIoU'];

function valueText(name: string, value: number | null | undefined): string {
  if (value === undefined || value === null) return '–';
  return fractions.includes(name) ? `${(100 * value).toFixed(2)} %` : value.toPrecision(4);
}

type EvaluateFlags = Omit<EvaluateRunOptions, 'folder' | 'signal' | 'onProgress' | 'onProblem'>;

export function registerEvaluate(program: Command, terminal: Terminal, present: Presenter): void {
  program
    .command('evaluate')
    .summary('evaluate the network of a run on test images, also at several scales')
    .description(
      'Evaluates the final weights of a run, or a checkpoint, on its test images or those of another data set. Writes nothing. Networks for label maps can average over scales and mirror images.',
    )
    .argument('<run>', 'run folder')
    .addOption(
      new Option(
        '--checkpoint <which>',
        "a checkpoint in place of the final weights: the best one by validation accuracy, or the run's metric (without validation images, on test images), or the last one; kept by 'train --keep-best' and '--keep-last', and by runs that have not finished",
      ).choices([...exportedCheckpoints]),
    )
    .option('--scales <list>', 'average over these factors of height and width, e.g. 0.5,1,1.5 (default: 1)', scaleList)
    .option('--flip', 'also average over mirror images')
    .option('--dataset <value>', "data set expression, or a folder of images, in place of the run's")
    .option('--data-folder <folder>', "folder with the data set's files")
    .option('--test-images <number>', 'number of test images to use, balanced across classes', wholeNumber)
    .option('--batch <number>', "batch size (default: the run's)", wholeNumber)
    .option('--backend <name>', "TensorFlow.js backend (default: the run's)")
    .option('--threads <number>', "threads of the backend (default: the run's)", threadCountOrAuto)
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  localgrad evaluate localgrad-runs/1f2e3d\n' +
        '  localgrad evaluate localgrad-runs/1f2e3d --scales 0.5,0.75,1,1.25,1.5,1.75 --flip',
    )
    .action((folder: string, { json: _, ...flags }: EvaluateFlags & { json?: boolean }) =>
      present(
        () =>
          evaluateRun({
            ...{ ...flags, folder },
            ...(terminal.signal === undefined ? {} : { signal: terminal.signal }),
            onProgress: progressOn(terminal),
            onProblem: (message) => warn(terminal, message),
          }),
        renderEvaluation,
      ),
    );
}

/** Shows the number of images on a terminal; what is written next replaces it. */
function progressOn({ stderr }: Terminal): (samples: number) => void {
  if (stderr.isTTY !== true) return () => {};
  return (samples) => void stderr.write(`\r${samples} images\u001b[K\r`);
}

function scaleList(text: string): number[] {
  const scales = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (scales.every((scale) => Number.isFinite(scale) && scale > 0)) return scales;
  throw new InvalidArgumentError('Allowed: numbers > 0, separated by commas, e.g. 0.5,1,1.5.');
}
