import { isAbsolute } from 'node:path';
import { formatExpression, LocalgradError, shown } from '@localgrad/core';
import { type Command, Option } from 'commander';

/** Adds `--model`, a backbone by the file of a model. */
export function addModelFlag(command: Command): void {
  command.addOption(
    new Option(
      '--model <file>',
      'model.json of TensorFlow.js layers (Keras) to train with its weights, instead of a backbone',
    ),
  );
}

export function isModelTyped(command: Command): boolean {
  return command.getOptionValueSource('model') === 'cli';
}

/**
 * The backbone expression of `--model`; undefined without the flag.
 *
 * @throws LocalgradError `invalid-option` with `--backbone`, and for other kinds of files
 */
export function backboneOfModel(command: Command): string | undefined {
  const file: unknown = command.getOptionValue('model');
  if (typeof file !== 'string') return undefined;
  if (command.getOptionValueSource('backbone') === 'cli') {
    throw new LocalgradError('invalid-option', '--model: is a backbone itself; remove --backbone.');
  }
  if (!/\.json$/i.test(file)) {
    throw new LocalgradError(
      'invalid-option',
      `--model: ${shown(file)}; allowed: a model.json of TensorFlow.js layers. Convert a Keras model with tensorflowjs_converter --input_format keras.`,
    );
  }
  const name = isAbsolute(file) || file.startsWith('.') ? file : `./${file}`;
  return formatExpression({ name, options: {} });
}
