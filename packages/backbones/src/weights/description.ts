import type { Backbone } from '@localgrad/core';
import { type JsonObject, LocalgradError, type ParameterScope, type Shape3 } from '@localgrad/core';
import type { TensorFile } from '@localgrad/nn';
import { backboneFactory } from '../registry.js';

/** The metadata entry of a weights file that says whose weights they are. */
export const descriptionKey = 'localgrad';

/** What the network was fed with: (value / 255 − mean) / deviation, by channel. */
export interface InputNormalization {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** What a weights file may tell besides the backbone. */
export interface WeightsExtra {
  readonly normalization?: InputNormalization;
}

/** What rebuilds the backbone that a weights file belongs to. */
export interface WeightsDescription extends WeightsExtra {
  /** The backbone's config. */
  readonly backbone: JsonObject;
  readonly inputShape: Shape3;
  readonly classes: number;
}

export function describe({ config, inputShape, classes }: Backbone, extra: WeightsExtra): WeightsDescription {
  const { normalization } = extra;
  return { backbone: config, inputShape, classes, ...(normalization === undefined ? {} : { normalization }) };
}

/**
 * The description in a file's metadata; undefined where it has none: files of others.
 *
 * @throws LocalgradError `invalid-data` when it is not as it should be
 */
export function readDescription({ metadata }: TensorFile, where: string): WeightsDescription | undefined {
  const text = metadata[descriptionKey];
  if (text === undefined) return undefined;
  const fail = (problem: string): never => {
    throw new LocalgradError('invalid-data', `${where}: its metadata '${descriptionKey}' ${problem}.`, { where });
  };
  let description: Partial<WeightsDescription> = {};
  try {
    description = JSON.parse(text);
  } catch (error) {
    fail(`is not JSON: ${(error as Error).message}`);
  }
  const { backbone, inputShape, classes } = description ?? {};
  const isCount = (value: unknown) => Number.isInteger(value) && (value as number) >= 1;
  if (typeof backbone?.backbone !== 'string') fail("names no backbone; expected backbone: { backbone: 'resnet32', … }");
  if (!Array.isArray(inputShape) || inputShape.length !== 3 || !inputShape.every(isCount)) {
    fail(`has inputShape ${JSON.stringify(inputShape)}; expected [height, width, channels]`);
  }
  if (!isCount(classes)) fail(`has classes ${JSON.stringify(classes)}; expected a positive integer`);
  const { normalisation, ...rest } = description as WeightsDescription & { normalisation?: InputNormalization };
  // Files from before version 0.1.0 spell the key this way.
  return normalisation === undefined ? rest : { normalization: normalisation, ...rest };
}

/** The backbone that a description is of, with fresh weights in `scope`. @throws LocalgradError */
export function buildDescribed(description: WeightsDescription, scope: ParameterScope): Backbone {
  const { backbone, inputShape, classes } = description;
  const { backbone: name, ...options } = backbone;
  return backboneFactory(name as string, options).build({ inputShape, classes, scope });
}
