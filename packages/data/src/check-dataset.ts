import { faultOfMembers, formatShape, LocalgradError, sameShape, shown } from '@localgrad/core';
import type { DatasetSplits, DatasetTarget, ImageDataset } from './dataset.js';

/** Throws `invalid-data` unless it is a height, a width and a number of channels. */
export function checkImageShape(name: string, shape: readonly number[]): void {
  if (shape.length === 3 && shape.every((extent) => Number.isInteger(extent) && extent >= 1)) return;
  throw new LocalgradError(
    'invalid-data',
    `Data set '${name}': expected three positive integers as the shape of its images (height, width, channels), found ${shape.join('×') || 'none'}.`,
    { name, imageShape: shape },
  );
}

type Refuse = (expected: string, found: string) => never;

/** Throws `invalid-data` unless images, labels, targets, shapes and size are consistent, and every class has its own name. */
export function checkDataset(dataset: ImageDataset): void {
  checkMembers(dataset);
  const { name, classes, imageShape, size, images, labels, targets = {} } = dataset;
  const refuse: Refuse = (expected, found) => {
    throw new LocalgradError('invalid-data', `Data set '${name}': expected ${expected}, found ${found}.`, {
      name,
      expected,
      found,
    });
  };
  checkImageShape(name, imageShape);
  checkClasses(classes, refuse);
  if (!Number.isInteger(size) || size < 1) refuse('a size of 1 or more', `${size}`);
  const length = size * imageShape[0] * imageShape[1] * imageShape[2];
  if (length === 0 || images.length !== length)
    refuse(`${size} images of ${imageShape.join('×')} (${length} values)`, `${images.length} values`);
  const isUnlabeled = labels.length === 0 && Object.keys(targets).length > 0;
  if (labels.length !== size && !isUnlabeled) refuse(`${size} labels, one for each image`, `${labels.length}`);
  const wrong = labels.findIndex((label) => !(Number.isInteger(label) && label >= 0 && label < classes.length));
  if (wrong >= 0 && classes.length === 0) refuse("the names of the labels' classes in 'classes'", 'none');
  if (wrong >= 0) refuse(`labels from 0 to ${classes.length - 1}`, `${labels[wrong]} for image ${wrong}`);
  for (const [target, { shape, values, spatial = false }] of Object.entries(targets)) {
    if (target === 'labels' || target === 'images') refuse("targets with names besides 'labels' and 'images'", target);
    const expected = size * valuesPerSample(shape);
    if (values.length !== expected)
      refuse(`${expected} values of target '${target}', ${shape.join('×') || '1'} for each image`, `${values.length}`);
    if (spatial && (shape[0] !== imageShape[0] || shape[1] !== imageShape[1]))
      refuse(`target '${target}' on ${imageShape[0]}×${imageShape[1]} pixels`, shape.join('×'));
  }
}

/** The types of the members: data sets may be written in JavaScript, where images are easily floats, and labels a plain list. */
function checkMembers(dataset: ImageDataset): void {
  const fail = (where: string, fault: string): never => {
    throw new LocalgradError('invalid-data', `${where} ${fault}.`);
  };
  const fault = faultOfMembers(dataset, {
    name: 'string',
    classes: 'list',
    imageShape: 'list',
    size: 'number',
    images: 'object',
    labels: 'object',
  });
  if (fault !== undefined) fail(typeof dataset?.name === 'string' ? `Data set '${dataset.name}'` : 'A data set', fault);
  const { name, images, labels, targets } = dataset;
  const where = `Data set '${name}'`;
  if (!(images instanceof Uint8Array)) {
    fail(where, `has 'images' of type ${typeOf(images)}; expected a Uint8Array (datasetFromArrays converts numbers)`);
  }
  if (!isOneOf(labels, [Uint8Array, Uint16Array, Int32Array])) {
    fail(where, `has 'labels' of type ${typeOf(labels)}; expected a Uint8Array, Uint16Array or Int32Array`);
  }
  for (const [target, content] of Object.entries(targets ?? {})) {
    const wrong = faultOfMembers(content, { shape: 'list', values: 'object' });
    if (wrong !== undefined) fail(`${where}: target '${target}'`, wrong);
    if (isOneOf(content.values, [Float32Array, Int32Array, Uint16Array, Uint8Array])) continue;
    const allowed = 'a Float32Array, Int32Array, Uint16Array or Uint8Array';
    fail(`${where}: target '${target}'`, `has 'values' of type ${typeOf(content.values)}; expected ${allowed}`);
  }
}

function isOneOf(value: unknown, types: readonly (new () => DatasetTarget['values'])[]): boolean {
  return types.some((type) => value instanceof type);
}

function typeOf(value: object): string {
  return value.constructor?.name ?? 'Object';
}

/** Reports list classes by name. */
function checkClasses(classes: readonly string[], refuse: Refuse): void {
  const labels = new Map<string, number>();
  for (const [label, name] of classes.entries()) {
    if (typeof name !== 'string' || name === '') refuse("names in 'classes'", `${shown(name)} for class ${label}`);
    const other = labels.get(name);
    if (other !== undefined) {
      refuse("a different name for each class in 'classes'", `${shown(name)} for classes ${other} and ${label}`);
    }
    labels.set(name, label);
  }
}

/**
 * Checks both parts of a data set, and that they belong together: the same classes in the same order, and labeled images of one
 * shape.
 *
 * @throws LocalgradError `invalid-data`
 */
export function checkSplits({ train, test }: Pick<DatasetSplits, 'train' | 'test'>): void {
  checkDataset(train);
  checkDataset(test);
  const refuse = (what: string, inTraining: string, inTest: string): never => {
    throw new LocalgradError(
      'invalid-data',
      `Data set '${train.name}': training and test images must have the same ${what}; found ${inTraining} and ${inTest}.`,
      { name: train.name },
    );
  };
  // Networks for label maps are evaluated on images of any height and width.
  const isComparable = train.labels.length > 0 || train.imageShape[2] !== test.imageShape[2];
  if (isComparable && !sameShape(train.imageShape, test.imageShape)) {
    refuse('shape', formatShape(train.imageShape), formatShape(test.imageShape));
  }
  if (train.classes.length !== test.classes.length) {
    refuse('classes', `${train.classes.length}`, `${test.classes.length}`);
  }
  const other = train.classes.findIndex((name, label) => name !== test.classes[label]);
  if (other >= 0) {
    refuse('classes in the same order', shown(train.classes[other]), `${shown(test.classes[other])} as class ${other}`);
  }
}

/** Values of one sample's target. */
export function valuesPerSample(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}
