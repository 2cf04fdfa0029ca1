import { printable } from '@localgrad/core';
import {
  type ExportOptions,
  type ExportReport,
  exportedCheckpoints,
  exportWeights,
  weightsFormats,
} from '@localgrad/runs';
import { formatMetric } from '@localgrad/train';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { extentsOf } from '../extents.js';
import type { Presenter } from '../present.js';

export function renderExport(report: ExportReport): string {
  const { backbone, inputShape, classes, tensors, skipped, prefix, format, files, normalization, classNames } = report;
  const { checkpoint } = report;
  const list = (values: readonly number[]) => values.map((value) => value.toFixed(4)).join(', ');
  return [
    `network     ${String(backbone.backbone)}, images ${inputShape.join('×')}, ${classes} classes, ${tensors} tensors`,
    normalization === null
      ? 'images      normalization unknown: the source does not record it'
      : `images      (value / 255 − mean) / deviation, mean ${list(normalization.mean)}, deviation ${list(normalization.deviation)}`,
    ...(classNames === null ? [] : [`classes     ${namesLine(classNames)}`]),
    ...(checkpoint === undefined ? [] : [checkpointLine(checkpoint)]),
    ...(prefix === undefined ? [] : [`names       without the prefix '${printable(prefix)}' of the source`]),
    ...(skipped.length === 0 ? [] : [`left out    ${skipped.length} tensors that are not the backbone's`]),
    `${format.padEnd(11)} ${files.join(', ')}`,
  ].join('\n');
}

const mostNames = 10;

function namesLine(names: readonly string[]): string {
  const first = names.slice(0, mostNames).map(printable).join(', ');
  return names.length > mostNames ? `${first}, …` : first;
}

function checkpointLine({ step, epochs, accuracy, metric }: NonNullable<ExportReport['checkpoint']>): string {
  const chosen = metric ?? (accuracy === null ? undefined : { name: 'accuracy', ...accuracy });
  const judged = chosen === undefined ? '' : `, ${chosen.set} ${chosen.name} ${formatMetric(chosen, chosen.value)}`;
  return `checkpoint  step ${step}, after ${epochs === 1 ? '1 epoch' : `${epochs} epochs`}${judged}`;
}

export function registerWeights(program: Command, present: Presenter): void {
  const weights = program
    .command('weights')
    .summary('export the weights of a trained network, or convert those of another');
  weights
    .command('export')
    .summary('write weights for PyTorch, for localgrad, or as a model of TensorFlow.js layers')
    .description(
      "Writes the backbone of a run or of a safetensors file (from localgrad, or the PyTorch state dict of a ResNet) in another format. pytorch: a state dict with PyTorch's names and layouts. localgrad: our own, which also describes the network. tfjs-layers: model.json and weights.bin, for tf.loadLayersModel.",
    )
    .argument('<source>', 'run folder, or .safetensors file')
    .addOption(new Option('--format <name>', 'format to write').choices([...weightsFormats]).makeOptionMandatory())
    .requiredOption('--output <path>', 'file to write; for tfjs-layers a folder')
    .option(
      '--image-size <height x width>',
      'image size, for state dicts, which do not contain it (default: 32x32, for ImageNet ResNets 224x224)',
      imageSize,
    )
    .addOption(
      new Option(
        '--checkpoint <which>',
        "a checkpoint of the run in place of its final weights: the best one by validation accuracy, or the run's metric (without validation images, on test images), or the last one; kept by 'train --keep-best' and '--keep-last', and by runs that have not finished",
      ).choices([...exportedCheckpoints]),
    )
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  localgrad weights export localgrad-runs/1f2e3d --format pytorch --output resnet32.safetensors\n' +
        '  localgrad weights export localgrad-runs/1f2e3d --checkpoint best --format pytorch --output best.safetensors\n' +
        '  localgrad weights export resnet32.safetensors --format tfjs-layers --output web-model',
    )
    .action((source: string, { json: _, ...flags }: Omit<ExportOptions, 'source'> & { json?: boolean }) =>
      present(() => exportWeights({ source, ...flags }), renderExport),
    );
}

function imageSize(text: string): readonly [number, number] {
  const [height, width, ...rest] = extentsOf(text);
  const isCount = (value: number | undefined): value is number =>
    value !== undefined && Number.isInteger(value) && value >= 1;
  if (!isCount(height) || !isCount(width) || rest.length > 0) {
    throw new InvalidArgumentError('Allowed: height x width, e.g. 32x32.');
  }
  return [height, width];
}
