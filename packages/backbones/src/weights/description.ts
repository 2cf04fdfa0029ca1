import type { Backbone, BackboneFactory } from '@localgrad/core';
import {
  type JsonObject,
  LocalgradError,
  messageOf,
  type ParameterScope,
  type Shape3,
  shortened,
  shown,
} from '@localgrad/core';
import { readSafetensors, type TensorFile } from '@localgrad/nn/serialization';
import { backboneFactory } from '../registry.js';

/** Metadata entry of a weights file that describes the backbone. */
export const descriptionKey = 'localgrad';

const largestSide = 16_384;
const mostClasses = 1_000_000;

/** Normalization of the network's input: (value / 255 − mean) / deviation, per channel. */
export interface InputNormalization {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** Optional information in a weights file besides the backbone. */
export interface WeightsExtra {
  readonly normalization?: InputNormalization;
  /** Name of each class, in the order of the network's scores. */
  readonly classNames?: readonly string[];
}

/** @param classNames of the data set; empty if its images have no classes */
export function weightsExtra(normalization: InputNormalization, classNames: readonly string[]): WeightsExtra {
  return { normalization, ...(classNames.length === 0 ? {} : { classNames }) };
}

/** Information in a weights file to rebuild the backbone. */
export interface WeightsDescription extends WeightsExtra {
  /** The backbone's config. */
  readonly backbone: JsonObject;
  readonly inputShape: Shape3;
  readonly classes: number;
}

/**
 * The description in a weights file of localgrad, without loading the weights; undefined for other files.
 *
 * @throws LocalgradError `invalid-data`
 */
export function weightsDescription(bytes: Uint8Array, where = 'safetensors data'): WeightsDescription | undefined {
  return readDescription(readSafetensors(bytes, where), where);
}

export function describe({ config, inputShape, classes }: Backbone, extra: WeightsExtra): WeightsDescription {
  const { normalization, classNames } = extra;
  return {
    backbone: config,
    inputShape,
    classes,
    ...(normalization === undefined ? {} : { normalization }),
    ...(classNames === undefined ? {} : { classNames }),
  };
}

/**
 * Reads the description from a file's metadata; undefined for files not written by localgrad.
 *
 * @throws LocalgradError `invalid-data` when the description is invalid
 */
export function readDescription({ metadata }: TensorFile, where: string): WeightsDescription | undefined {
  const text = metadata[descriptionKey];
  if (text === undefined) return undefined;
  const fail = (problem: string): never => {
    throw new LocalgradError('invalid-data', `${where}: its metadata '${descriptionKey}' ${problem}.`, { where });
  };
  let description: Partial<WeightsDescription> | null = {};
  try {
    description = JSON.parse(text);
  } catch (error) {
    fail(`is not JSON: ${shortened(messageOf(error))}`);
  }
  const { backbone, inputShape, classes } = description ?? {};
  const isCount = (value: unknown, most: number) =>
    typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most;
  if (typeof backbone?.backbone !== 'string') fail("has no backbone; expected backbone: { backbone: 'resnet32', … }");
  if (
    !Array.isArray(inputShape) ||
    inputShape.length !== 3 ||
    !inputShape.every((size) => isCount(size, largestSide))
  ) {
    fail(`has inputShape ${shown(inputShape)}; expected [height, width, channels], each from 1 to ${largestSide}`);
  }
  if (!isCount(classes, mostClasses)) {
    fail(`has classes ${shown(classes)}; expected an integer from 1 to ${mostClasses}`);
  }
  const { normalisation, ...rest } = description as WeightsDescription & { normalisation?: InputNormalization };
  // Files written before version 0.1.0 use this spelling.
  const result = normalisation === undefined ? rest : { normalization: normalisation, ...rest };
  if (result.normalization !== undefined && !isNormalization(result.normalization)) {
    fail(`has normalization ${shown(result.normalization)}; expected { mean, deviation }, one number per channel each`);
  }
  const { classNames } = result;
  if (classNames !== undefined && !isNames(classNames, result.classes)) {
    fail(`has classNames ${shown(classNames)}; expected a name for each of its ${result.classes} classes`);
  }
  return result;
}

function isNames(value: unknown, count: number): boolean {
  return Array.isArray(value) && value.length === count && value.every((name) => typeof name === 'string');
}

function isNormalization(value: Partial<InputNormalization> | null): boolean {
  const isNumbers = (list: unknown) =>
    Array.isArray(list) && list.every((entry) => typeof entry === 'number' && Number.isFinite(entry));
  return isNumbers(value?.mean) && isNumbers(value?.deviation);
}

/** Builds the described backbone with newly initialized weights in `scope`. @throws LocalgradError with the file */
export function buildDescribed(
  { backbone, inputShape, classes }: WeightsDescription,
  scope: ParameterScope,
  where: string,
  factoryOf: (config: JsonObject) => BackboneFactory = ownFactory,
): Backbone {
  try {
    return factoryOf(backbone).build({ inputShape, classes, scope });
  } catch (error) {
    // Without the file, the message would read like one about the user's own options.
    if (!LocalgradError.isInstance(error) || error.message.startsWith(`${where}: `)) throw error;
    const isForeign = factoryOf === ownFactory && error.code === 'unknown-name' && error.details?.what === 'backbone';
    const cure = isForeign
      ? " For a backbone of your own, pass 'factoryOf', or build it and call loadWeights; on the command line, use the folder of its run."
      : '';
    throw new LocalgradError(
      'invalid-data',
      `${where}: its metadata '${descriptionKey}' describes no network: ${error.message}${cure}`,
      { where },
      { cause: error },
    );
  }
}

function ownFactory({ backbone: name, ...options }: JsonObject): BackboneFactory {
  return backboneFactory(String(name), options);
}
