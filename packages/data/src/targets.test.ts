import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { createBatches, type ImageDataset, padTo, replicateChannels, take } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Images whose pixels are their indices, each with its mean as value and its bytes as mask. */
function withTargets(size: number): ImageDataset {
  const images = Uint8Array.from({ length: size * 16 }, (_, index) => (index * 37) % 256);
  return {
    name: 'targets',
    classes: [],
    imageShape: [4, 4, 1],
    size,
    images,
    labels: new Uint8Array(0),
    targets: {
      values: { shape: [2], values: Float32Array.from({ length: 2 * size }, (_, index) => index / 2) },
      ages: { shape: [], values: Int32Array.from({ length: size }, (_, index) => 1000 * index) },
      masks: { shape: [4, 4], values: Uint8Array.from(images), spatial: true },
    },
  };
}

describe('targets of a data set', () => {
  it('appear in batches under their names, in the order of the images, and without labels if there are none', () => {
    const before = tf.memory().numTensors;
    const batches = createBatches(withTargets(5), { batchSize: 3, shuffle: true, seed: 2 });
    const seen: number[] = [];
    for (const batch of batches.epoch(0)) {
      const { labels, values, ages, masks } = batch.targets;
      expect(labels).toBeUndefined();
      expect([values?.dtype, values?.shape]).toEqual(['float32', [batch.size, 2]]);
      expect([ages?.dtype, ages?.shape]).toEqual(['int32', [batch.size]]);
      expect([masks?.dtype, masks?.shape]).toEqual(['int32', [batch.size, 4, 4]]);
      const rows = [...(ages?.dataSync() ?? [])].map((age) => age / 1000);
      expect([...(values?.dataSync() ?? [])]).toEqual(rows.flatMap((row) => [row, row + 0.5]));
      seen.push(...rows);
      batch.dispose();
    }
    expect(seen.toSorted()).toEqual([0, 1, 2, 3, 4]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('are augmented with the image if they are spatial', () => {
    const options = {
      batchSize: 6,
      withImages: true,
      augmentation: { pad: 2, padding: 'zero', flip: true },
    } as const;
    for (const batch of createBatches(withTargets(6), options).epoch(3)) {
      const bytes = [...(batch.targets.images?.dataSync() ?? [])].map((value) => Math.round(255 * value));
      expect([...(batch.targets.masks?.dataSync() ?? [])]).toEqual(bytes);
      batch.dispose();
    }
  });

  it('are included in subsets', () => {
    const taken = take(withTargets(9), 3, { seed: 4 });
    const ages = [...(taken.targets?.ages?.values ?? [])];
    expect(ages).toHaveLength(3);
    expect([...(taken.targets?.values?.values ?? [])]).toEqual(ages.flatMap((age) => [age / 1000, age / 1000 + 0.5]));
    expect([...taken.images]).toEqual([...(taken.targets?.masks?.values ?? [])]);
    expect(() => take(withTargets(9), 3, { by: 'balanced' })).toThrow(/'by' is 'balanced'; allowed: first/);
  });

  it('forbid transforms that would change only the image', () => {
    expect(() => padTo(withTargets(2), 8)).toThrow(/target 'masks' for each pixel/);
    expect(replicateChannels(withTargets(2), 3).targets?.masks?.shape).toEqual([4, 4]);
  });

  it('must match the images', () => {
    const dataset = withTargets(4);
    const wrong = (target: object) => () =>
      createBatches({ ...dataset, targets: { ...dataset.targets, ...target } } as ImageDataset, { batchSize: 2 });
    expect(wrong({ values: { shape: [2], values: new Float32Array(7) } })).toThrow(
      /8 values of target 'values'.*found 7/,
    );
    expect(wrong({ images: { shape: [], values: new Float32Array(4) } })).toThrow(
      /names besides 'labels' and 'images'/,
    );
    expect(wrong({ masks: { shape: [2, 8], values: new Uint8Array(64), spatial: true } })).toThrow(
      /on 4×4 pixels, found 2×8/,
    );
    const { targets: _, ...bare } = dataset;
    expect(() => createBatches(bare, { batchSize: 2 })).toThrow(/expected 4 labels/);
  });
});

it('labels support a thousand classes', () => {
  const labels = Int32Array.from([0, 300, 999]);
  const classes = Array.from({ length: 1000 }, (_, index) => `class ${index}`);
  const dataset = { name: 'wide', classes, imageShape: [1, 1, 1], size: 3, images: new Uint8Array(3), labels } as const;
  const [batch] = createBatches(dataset, { batchSize: 3, normalization: { mean: [0], deviation: [1] } }).epoch(0);
  expect([...(batch?.targets.labels?.dataSync() ?? [])]).toEqual([0, 300, 999]);
  expect(take(dataset, 2).labels).toEqual(Int32Array.from([0, 300]));
  const wrong = { ...dataset, labels: Int32Array.from([0, -1, 999]) };
  expect(() => createBatches(wrong, { batchSize: 3 })).toThrow(/found -1 for image 1/);
});
