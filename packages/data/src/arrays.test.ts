import { describe, expect, it } from 'vitest';
import {
  type ArrayImages,
  createBatches,
  datasetFromArrays,
  holdOut,
  type ImageDataset,
  takePerClass,
} from './index.js';

const three: ArrayImages = { imageShape: [2, 2, 1], images: new Uint8Array(12), labels: [0, 1, 1] };

describe('datasetFromArrays', () => {
  it.each([
    ['bytes', Uint8Array.of(0, 51, 128, 255)],
    ['the bytes of a canvas', Uint8ClampedArray.of(0, 51, 128, 255)],
    ['numbers from 0 to 1', Float64Array.of(0, 0.2, 128 / 255, 1)],
  ])('reads %s', (_, values) => {
    const expected = [0, 51, 128, 255];
    expect([...datasetFromArrays({ imageShape: [2, 2, 1], images: values, labels: [0] }).images]).toEqual(expected);
    expect([...datasetFromArrays({ imageShape: [2, 2, 1], images: [values], labels: [0] }).images]).toEqual(expected);
  });

  // An Int32Array would make 0, 0 and 1 of these labels.
  it.each([[0.5], [Number.NaN], ['1'], [2 ** 32 + 1]])('rejects the label %s instead of changing it', (label) => {
    const labels = [0, label, 1] as number[];
    expect(() => datasetFromArrays({ ...three, labels })).toThrow(/expected integers as labels, found .* for image 1/);
    expect(() => datasetFromArrays({ ...three, labels, classes: ['a', 'b'] })).toThrow(/integers as labels/);
  });

  it('rejects more classes than it can number', () => {
    expect(() => datasetFromArrays({ ...three, labels: [0, 1, 2 ** 20] })).toThrow(/labels below 131072, or the names/);
  });

  it('rejects images of different sizes, even if their sum is right', () => {
    const images = [new Uint8Array(3), new Uint8Array(5), new Uint8Array(4)];
    expect(() => datasetFromArrays({ ...three, images })).toThrow(/expected 4 values for image 0, found 3/);
  });

  it.each([
    [[1, 2, 3, 4], /expected a Uint8Array or Float32Array for image 0, found 1\./],
    [[new Int32Array(4)], /for image 0, found one of type Int32Array/],
    [new Int32Array(12), /expected a Uint8Array or Float32Array, found one of type Int32Array/],
  ])('rejects values of another type: %j', (images, message) => {
    expect(() => datasetFromArrays({ ...three, images: images as never })).toThrow(message);
  });

  it.each([[[-2, -2, 1]], [[1.5, 2, 1]], [[2, 2]], [[2, 2, 1, 1]]])('rejects the shape %j', (shape) => {
    const message = /expected three positive integers as the shape of its images \(height, width, channels\)/;
    expect(() => datasetFromArrays({ ...three, imageShape: shape as never })).toThrow(message);
  });

  it('rejects unknown options', () => {
    expect(() => datasetFromArrays({ ...three, class: ['a'] } as never)).toThrow(/'class'. Did you mean 'classes'/);
  });
});

describe('data sets without labels', () => {
  const images: ImageDataset = {
    ...{ name: 'ages', classes: [], labels: new Uint8Array(0), imageShape: [1, 1, 1], size: 10 },
    images: Uint8Array.from({ length: 10 }, (_, index) => index),
    targets: { age: { shape: [], values: Float32Array.from({ length: 10 }, (_, index) => index) } },
  };

  it('are split as a whole, together with their targets', () => {
    const { train, heldOut } = holdOut(images, 0.3, { seed: 1 });
    expect([train.size, heldOut.size]).toEqual([7, 3]);
    expect([...train.images, ...heldOut.images].sort((a, b) => a - b)).toEqual([...images.images]);
    expect([...(heldOut.targets?.age?.values ?? [])]).toEqual([...heldOut.images]);
  });

  it('have no classes to take from, like a class without images', () => {
    expect(() => takePerClass(images, 2)).toThrow(/'ages' has no labels, so none can be taken per class/);
    const labeled = datasetFromArrays({ ...three, classes: ['a', 'b', 'c'] });
    expect(() => takePerClass(labeled, 1)).toThrow(/has no image of class 'c'/);
  });
});

describe('createBatches', () => {
  const dataset = datasetFromArrays({ ...three, images: Uint8Array.from({ length: 12 }, (_, index) => index) });
  it.each([
    [
      { normalization: { mean: [0], std: [1] } },
      /Unknown option of createBatches, normalization 'std'. Allowed: mean, deviation/,
    ],
    [{ normalization: { mean: [0] } }, /'normalization' is .*allowed: mean and positive deviation of 1 channels/],
    [{ normalization: 'half' }, /'normalization' is 'half'/],
    [{ cutout: { size: 1, holes: 2 } }, /Unknown option of cutout 'holes'/],
    [{ augmentation: { flip: 'no' } }, /'flip' is 'no'; allowed: true, false/],
    [{ shuffle: 'yes' }, /'shuffle' is 'yes'/],
    [{ seed: -1 }, /createBatches: option 'seed' is -1/],
  ])('rejects %j', (options, message) => {
    expect(() => createBatches(dataset, { batchSize: 1, ...options } as never)).toThrow(message);
  });
});
