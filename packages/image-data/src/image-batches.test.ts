import { type Batches, createBatches } from '@localgrad/data';
import { createRandom } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { openImages } from './dataset.js';
import type { EncodedImages } from './encoded-images.js';
import { randomRegion } from './geometry.js';
import { createImageBatches, type ImageBatches, type ImageBatchOptions } from './image-batches.js';
import { fixture } from './images.fixture.js';
import { loadImages } from './load-images.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const options: ImageBatchOptions = { batchSize: 3, size: 10, shuffle: true, seed: 4, augmentation: {} };

async function photos(): Promise<EncodedImages> {
  return (await openImages({ folder: fixture('folder'), holdOut: 0.2 })).train;
}

/** Images and labels of an epoch, sample by sample. */
async function samplesOf(source: EncodedImages, changes: Partial<ImageBatchOptions>, epoch = 1, from = 0) {
  const images: number[][] = [];
  const labels: number[] = [];
  for await (const batch of createImageBatches(source, { ...options, ...changes }).epoch(epoch, from)) {
    for (const image of await batch.images.array()) images.push(image.flat(2));
    labels.push(...((await batch.targets.labels?.data()) ?? []));
    batch.dispose();
  }
  return { images, labels };
}

describe('createImageBatches', () => {
  it('yields the same bits for any number of workers and batch size, and after resuming', async () => {
    const source = await photos();
    const before = tf.memory().numTensors;
    const expected = await samplesOf(source, { workers: 1, ahead: 1 });
    expect(expected.images).toHaveLength(6);
    expect(await samplesOf(source, { workers: 4 })).toEqual(expected);
    expect(await samplesOf(source, { workers: 3, batchSize: 4 })).toEqual(expected);
    const resumed = await samplesOf(source, { workers: 4 }, 1, 3);
    expect(resumed.images).toEqual(expected.images.slice(3));
    expect(tf.memory().numTensors).toBe(before);
  });

  it('changes order and crops in each epoch and with the seed', async () => {
    const source = await photos();
    const first = await samplesOf(source, {});
    expect(await samplesOf(source, {}, 2)).not.toEqual(first);
    expect(await samplesOf(source, { seed: 5 })).not.toEqual(first);
    const unshuffled = await samplesOf(source, { shuffle: false });
    expect(unshuffled.labels).toEqual([...source.labels]);
  });

  it('streams across epochs from a position, with normalized and plain images', async () => {
    const source = await photos();
    const batches = createImageBatches(source, {
      ...options,
      augmentation: undefined as never,
      shorter: 12,
      withImages: true,
    });
    const positions: unknown[] = [];
    for await (const batch of batches.stream({ epoch: 0, sample: 3 })) {
      const { images } = batch.targets;
      if (images === undefined) throw new Error('batch without images');
      const channel = async (tensor: tf.Tensor) => (await tensor.data())[0] ?? 0;
      expect(await channel(batch.images)).toBeCloseTo(((await channel(images)) - 0.485) / 0.229, 5);
      positions.push(batch.next);
      batch.dispose();
      if (positions.length === 3) break;
    }
    expect(positions).toEqual([
      { epoch: 1, sample: 0 },
      { epoch: 1, sample: 3 },
      { epoch: 2, sample: 0 },
    ]);
    expect(batches).toMatchObject({ samples: 6, batchesPerEpoch: 2 });
  });

  it.each([
    ['squares', 12],
    ['rectangles', [8, 14]],
  ] as const)(
    'has the bits of createBatches for images in memory, with shifts, cutout and gray images: %s',
    async (_, size) => {
      const source = await photos();
      const augmented = { augmentation: { pad: 3, padding: 'reflect', flip: true }, cutout: { size: 5 } } as const;
      const normalization = { mean: [0.4], deviation: [0.3] };
      const common = { batchSize: 4, shuffle: true, seed: 9, withImages: true, normalization };
      const memory = createBatches(await loadImages(source, { size, channels: 1 }), { ...common, ...augmented });
      const { augmentation: shift, cutout } = augmented;
      const streamed = createImageBatches(source, { ...common, size, channels: 1, shift, cutout });
      const valuesOf = async (batches: Batches | ImageBatches) => {
        const values: number[][] = [];
        for await (const { images, targets, dispose } of batches.epoch(1)) {
          values.push([...(await images.data())], [...((await targets.images?.data()) ?? [])]);
          dispose();
        }
        return values;
      };
      expect(await valuesOf(streamed)).toEqual(await valuesOf(memory));
    },
  );

  it('yields rectangles, at random and from the center', async () => {
    const source = await photos();
    for (const augmentation of [{}, undefined]) {
      const changes = { size: [6, 9], ...(augmentation === undefined ? {} : { augmentation }) } as const;
      const batches = createImageBatches(source, { batchSize: 2, seed: 4, ...changes });
      for await (const { images, dispose } of batches.epoch(0)) {
        expect(images.shape).toEqual([2, 6, 9, 3]);
        dispose();
      }
    }
    for (const size of [[6], [6, 0], [6, 9, 3], [6, 4097]]) {
      const create = () => createImageBatches(source, { batchSize: 2, size: size as never });
      expect(create).toThrow(/'size' is \[.*allowed: integers from 1 to 4096, or two of them \(height, width\)/);
    }
  });

  it('rejects invalid options by name', async () => {
    const source = await photos();
    const create = (changes: object) => () => createImageBatches(source, { ...options, ...changes });
    expect(create({ batchSize: 7 })).toThrow(/batchSize.*1 to 6/);
    expect(create({ worker: 2 })).toThrow(/Did you mean 'workers'/);
    expect(create({ shift: {} })).toThrow(/with augmentation, which crops at random/);
    expect(create({ channels: 1 })).toThrow(/mean and positive deviation of 1 channels/);
    const constant = { mean: [0.1, 0.1, 0.1], deviation: [0.2, 0, 0.2] };
    expect(create({ normalization: constant })).toThrow(/mean and positive deviation of 3 channels/);
    expect(create({ shorter: 20 })).toThrow(/with augmentation, which crops at random/);
    expect(create({ augmentation: undefined, shorter: 5 })).toThrow(/integers ≥ 10/);
  });
});

/** Largest distance between the distribution of samples and an expected cumulative distribution. */
function kolmogorovDistance(samples: readonly number[], cumulative: (value: number) => number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return Math.max(
    ...sorted.map((value, index) => {
      const expected = cumulative(value);
      return Math.max((index + 1) / sorted.length - expected, expected - index / sorted.length);
    }),
  );
}

describe('randomRegion', () => {
  const [height, width, draws] = [3000, 4000, 20_000];
  const random = createRandom(11);
  const regions = Array.from({ length: draws }, () => randomRegion(height, width, random));
  /** Kolmogorov–Smirnov at a significance of 0.001. */
  const critical = 1.95 / Math.sqrt(draws);

  // torchvision's definition, by integration: area uniform in [0.08, 1], log ratio uniform, given that the rectangle fits.
  const grid = 400;
  const fitting: { area: number; ratio: number }[] = [];
  for (let i = 0; i < grid; i++) {
    for (let j = 0; j < grid; j++) {
      const area = 0.08 + (0.92 * (i + 0.5)) / grid;
      const ratio = Math.exp(Math.log(3 / 4) + (Math.log(16 / 9) * (j + 0.5)) / grid);
      const pixels = area * height * width;
      if (Math.sqrt(pixels * ratio) <= width && Math.sqrt(pixels / ratio) <= height) fitting.push({ area, ratio });
    }
  }
  const cumulativeOf = (key: 'area' | 'ratio') => {
    const sorted = Float64Array.from(fitting, (point) => point[key]).sort();
    return (value: number) => {
      let [low, high] = [0, sorted.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((sorted[middle] ?? 0) <= value) low = middle + 1;
        else high = middle;
      }
      return low / sorted.length;
    };
  };

  it('has the area and ratio distributions of torchvision', () => {
    const areas = regions.map((region) => (region.width * region.height) / (width * height));
    const ratios = regions.map((region) => region.width / region.height);
    expect(kolmogorovDistance(areas, cumulativeOf('area'))).toBeLessThan(critical + 1 / grid);
    expect(kolmogorovDistance(ratios, cumulativeOf('ratio'))).toBeLessThan(critical + 1 / grid);
  });

  it('has uniform positions inside the image', () => {
    const tops = regions.map((region) => (region.top + 0.5) / (height - region.height + 1));
    const lefts = regions.map((region) => (region.left + 0.5) / (width - region.width + 1));
    for (const values of [tops, lefts]) {
      expect(kolmogorovDistance(values, (value) => value)).toBeLessThan(critical + 0.002);
    }
    for (const region of regions) {
      expect(region.top + region.height).toBeLessThanOrEqual(height);
      expect(region.left + region.width).toBeLessThanOrEqual(width);
    }
  });

  it('falls back to the central rectangle if none fits', () => {
    expect(randomRegion(10, 1000, createRandom(1))).toEqual({ top: 0, left: 493, height: 10, width: 13 });
    expect(randomRegion(1000, 10, createRandom(1))).toEqual({ top: 493, left: 0, height: 13, width: 10 });
  });
});
