import { createRandom } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { datasetFromArrays } from './arrays.js';
import { augment, augmentations } from './augmentation.js';
import { createBatches } from './batches.js';
import { erasedRectangle } from './cutout.js';
import { pipelineBatches, pipelines } from './pipelines.js';
import { holdOut, stratifiedSplit, takePerClass } from './splits.js';
import { measureNormalization } from './transforms.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** 24 images of 8×8×3 in three classes of 12, 8 and 4. */
function toyImages() {
  const random = createRandom(3);
  const images = Uint8Array.from({ length: 24 * 192 }, () => random.integer(256));
  const labels = Array.from({ length: 24 }, (_, index) => (index % 2 === 0 ? 0 : index % 6 === 1 ? 2 : 1));
  return datasetFromArrays({ name: 'toy', imageShape: [8, 8, 3], images, labels });
}

describe('datasetFromArrays', () => {
  it('accepts bytes or numbers from 0 to 1, in one array or one per image', () => {
    const bytes = datasetFromArrays({ imageShape: [1, 2, 1], images: Uint8Array.of(0, 255, 51, 1), labels: [1, 0] });
    const numbers = datasetFromArrays({
      imageShape: [1, 2, 1],
      images: [Float32Array.of(0, 1), Float32Array.of(0.2, 0.0039)],
      labels: [1, 0],
    });
    expect(numbers).toEqual(bytes);
    expect(bytes.classes).toEqual(['0', '1']);
  });

  it('reports inconsistent arrays by name', () => {
    const create = (images: Uint8Array | Float32Array, labels: number[]) => () =>
      datasetFromArrays({ name: 'mine', imageShape: [1, 2, 1], images, labels });
    expect(create(new Uint8Array(3), [0, 0])).toThrow(/'mine': expected 2 images of 1×2×1 \(4 values\), found 3/);
    expect(create(Float32Array.of(0, 1.5), [0])).toThrow(/'mine': expected numbers from 0 to 1, found 1\.5 at index 1/);
    expect(create(Float32Array.of(Number.NaN, 1), [0])).toThrow(/found NaN at index 0/);
  });
});

describe('splits', () => {
  it('hold out the same fraction of every class, and the same images for a seed', () => {
    const dataset = toyImages();
    const { train, heldOut } = holdOut(dataset, 0.25, { seed: 5 });
    const count = (labels: ArrayLike<number>) =>
      [0, 1, 2].map((label) => Array.from(labels).filter((l) => l === label).length);
    expect(count(heldOut.labels)).toEqual([3, 2, 1]);
    expect(count(train.labels)).toEqual([9, 6, 3]);
    expect(holdOut(dataset, 0.25, { seed: 5 })).toEqual({ train, heldOut });
    expect(holdOut(dataset, 0.25, { seed: 6 }).heldOut.images).not.toEqual(heldOut.images);
    const { kept, heldOut: held } = stratifiedSplit([0, 0, 1], 2, 0.01);
    expect([kept.length, held.length]).toEqual([2, 1]);
    expect(() => holdOut(dataset, 1)).toThrow(/between 0 and 1/);
  });

  it('select equally many images per class, or report the smallest class', () => {
    const four = takePerClass(toyImages(), 4, { seed: 1 });
    expect([...four.labels].sort()).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
    expect(() => takePerClass(toyImages(), 5)).toThrow(/1 to 4, the size of the smallest class/);
  });
});

describe('pipelines', () => {
  it('crop and flip uniformly, like RandomCrop and RandomHorizontalFlip of torchvision', () => {
    // The position of a pixel determines crop and flip: 9 × 9 corners, two directions.
    const source = Uint8Array.from({ length: 32 * 32 }, (_, index) => (index === 16 * 32 + 10 ? 1 : 0));
    const target = new Uint8Array(32 * 32);
    const counts = new Map<number, number>();
    const draws = 40_000;
    for (let sample = 0; sample < draws; sample++) {
      augment(
        source,
        target,
        [32, 32, 1],
        { ...augmentations.cifar10, padding: 'zero' },
        createRandom(9, `augment/0/${sample}`),
      );
      const place = target.indexOf(1);
      counts.set(place, (counts.get(place) ?? 0) + 1);
    }
    expect(counts.size).toBe(162);
    const expected = draws / 162;
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 161 degrees of freedom: mean 161, standard deviation 17.9; 0.999 quantile 223.
    expect(chiSquare).toBeLessThan(223);
  });

  it('prepare training and test images with the constants of the paper', async () => {
    const splits = { config: {}, train: toyImages(), test: toyImages() };
    const batches = pipelineBatches(splits, 'svhn', { batchSize: 6, seed: 2 });
    expect(batches.train.normalization).toEqual({ mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] });
    const [first] = batches.test.epoch(0);
    const values = await first?.images.data();
    expect(values?.[5]).toBeCloseTo(((splits.test.images[5] ?? 0) / 255 - 0.5) / 0.5, 6);
    first?.dispose();
    const measured = pipelineBatches(splits, { ...pipelines.svhn, normalization: 'measured' }, { batchSize: 6 });
    expect(measured.test.normalization).toEqual(measureNormalization(splits.train));
    expect(() => pipelineBatches(splits, 'shvn' as never, { batchSize: 6 })).toThrow(/Unknown pipeline.*svhn/);
  });

  it('cutout erases the same square in a resumed stream, with the mean in normalized and plain images', async () => {
    const dataset = toyImages();
    const options = { batchSize: 4, shuffle: true, seed: 8, cutout: { size: 4 }, withImages: true };
    const batches = createBatches(dataset, options);
    const { mean } = batches.normalization;
    const straight = [...batches.epoch(3)];
    const resumed = [...batches.epoch(3, 8)];
    let erased = 0;
    for (const [index, batch] of straight.entries()) {
      const values = await batch.images.data();
      const plain = (await batch.targets.images?.data()) ?? [];
      values.forEach((value, at) => {
        if (value !== 0) return;
        erased++;
        expect(plain[at]).toBeCloseTo(mean[at % 3] ?? 0, 6);
      });
      if (index >= 2) expect(await resumed[index - 2]?.images.data()).toEqual(values);
    }
    for (const batch of [...straight, ...resumed]) batch.dispose();
    expect(erased).toBe(expectedErased(dataset.size));
    expect(() => createBatches(dataset, { ...options, cutout: { size: 0 } })).toThrow(/integers from 1 to 16/);
  });

  function expectedErased(size: number): number {
    return Array.from({ length: size }, (_, sample) => erasedRectangle({ size: 4 }, [8, 8, 3], 8, 3, sample))
      .map(({ top, bottom, left, right }) => 3 * (bottom - top) * (right - left))
      .reduce((sum, area) => sum + area, 0);
  }

  it('cutout places its center uniformly, clipped at the border', () => {
    const rectangles = Array.from({ length: 6400 }, (_, sample) =>
      erasedRectangle({ size: 4 }, [8, 8, 3], 1, 0, sample),
    );
    const whole = rectangles.filter(({ top, bottom, left, right }) => (bottom - top) * (right - left) === 16).length;
    // Centers 2 to 6 on both axes: 25 of 64 places.
    expect(whole / 6400).toBeCloseTo(25 / 64, 1.5);
    expect(Math.max(...rectangles.map(({ bottom }) => bottom))).toBe(8);
    expect(Math.min(...rectangles.map(({ bottom }) => bottom))).toBe(2);
  });

  it('cutout erases size × size pixels where the square is inside, for odd and even sizes', () => {
    for (let size = 1; size <= 8; size++) {
      const rectangles = Array.from({ length: 500 }, (_, sample) =>
        erasedRectangle({ size }, [32, 32, 3], 1, 0, sample),
      );
      const inside = rectangles.filter(
        ({ top, bottom, left, right }) => top > 0 && left > 0 && bottom < 32 && right < 32,
      );
      expect(inside.length).toBeGreaterThan(100);
      for (const { top, bottom, left, right } of inside) expect([bottom - top, right - left]).toEqual([size, size]);
    }
  });

  it('cutout keeps the rectangles of even sizes, and centers odd ones at the same pixels', () => {
    const of = (size: number) => [0, 1, 2].map((sample) => erasedRectangle({ size }, [32, 32, 3], 1, 0, sample));
    expect(of(4)).toEqual([
      { top: 4, bottom: 8, left: 27, right: 31 },
      { top: 15, bottom: 19, left: 16, right: 20 },
      { top: 27, bottom: 31, left: 0, right: 2 },
    ]);
    for (const [index, { top, left, bottom, right }] of of(5).entries()) {
      const even = of(4)[index];
      expect([top, left]).toEqual([even?.top, even?.left]);
      expect([bottom, right]).toEqual([Math.min((even?.bottom ?? 0) + 1, 32), Math.min((even?.right ?? 0) + 1, 32)]);
    }
  });
});
