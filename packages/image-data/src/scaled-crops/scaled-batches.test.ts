import * as tf from '@tensorflow/tfjs';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import type { EncodedImages } from '../encoded-images.js';
import { createImageBatches, type ImageBatchOptions } from '../image-batches.js';
import { imagePipelines } from '../pipelines.js';

const colors = [
  [200, 40, 90],
  [30, 160, 220],
  [120, 230, 10],
] as const;

/** Rectangles of three classes and of none; each class has one color, so that image and map can be compared. */
async function drawn(height: number, width: number, seed: number) {
  const values = new Uint8Array(height * width);
  const pixels = Buffer.alloc(3 * height * width);
  for (let at = 0; at < values.length; at++) {
    const [row, column] = [Math.floor(at / width), at % width];
    const value = (Math.floor((row + seed) / 9) + Math.floor((column + 2 * seed) / 13)) % 4;
    values[at] = value === 3 ? 255 : value;
    pixels.set(colors[value] ?? [5, 5, 5], 3 * at);
  }
  const image = await sharp(pixels, { raw: { height, width, channels: 3 } })
    .png()
    .toBuffer();
  return { image, map: { height, width, values } };
}

type Sizes = readonly (readonly [height: number, width: number])[];

async function sourceOf(sizes: Sizes): Promise<EncodedImages> {
  const all = await Promise.all(sizes.map(([height, width], index) => drawn(height, width, index)));
  const at = <T>(list: readonly T[], index: number): T => {
    const found = list[index];
    if (found === undefined) throw new Error(`no image ${index}`);
    return found;
  };
  return {
    ...{ name: 'shapes', classes: ['a', 'b', 'c'], size: sizes.length, labels: new Int32Array(0) },
    read: async (index) => at(all, index).image,
    locate: (index) => `${index}.png`,
    maps: {
      read: async (index) => at(all, index).map,
      readFile: async () => new Uint8Array(0),
      locate: (index) => `${index}-map.png`,
    },
  };
}

const options: ImageBatchOptions = {
  ...{ batchSize: 2, size: [24, 40], shuffle: true, seed: 6, withImages: true },
  augmentation: { crops: 'scaled' },
};

interface Values {
  readonly shape: readonly number[];
  readonly images: Float32Array;
  readonly plain: Float32Array;
  readonly masks: Int32Array;
}

async function batchesOf(
  source: EncodedImages,
  changes: Partial<ImageBatchOptions> = {},
  epoch = 0,
  from = 0,
): Promise<Values[]> {
  const found: Values[] = [];
  for await (const { images, targets, dispose } of createImageBatches(source, { ...options, ...changes }).epoch(
    epoch,
    from,
  )) {
    found.push({
      shape: images.shape,
      images: Float32Array.from(await images.data()),
      plain: Float32Array.from((await targets.images?.data()) ?? []),
      masks: Int32Array.from((await targets.masks?.data()) ?? []),
    });
    dispose();
  }
  return found;
}

/** Values of the samples, one after another. */
const samplesOf = (batches: readonly Values[]) =>
  batches.flatMap(({ shape: [size = 0], images, masks }) =>
    Array.from({ length: size }, (_, index) => {
      const part = (values: Float32Array | Int32Array) => [
        ...values.subarray((index * values.length) / size, ((index + 1) * values.length) / size),
      ];
      return { image: part(images), mask: part(masks) };
    }),
  );

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const sizes: Sizes = [
  [48, 80],
  [30, 50],
  [64, 40],
  [48, 80],
  [20, 24],
];

describe('batches of scaled crops', () => {
  it('move image and map alike, and pad with the mean and with pixels without a class', async () => {
    const source = await sourceOf(sizes);
    const before = tf.memory().numTensors;
    let [compared, padded] = [0, 0];
    for (let epoch = 0; epoch < 6; epoch++) {
      const batches = await batchesOf(source, { augmentation: { crops: 'scaled', distortion: false } }, epoch);
      for (const { shape, images, plain, masks } of batches) {
        const [size = 0, height = 0, width = 0] = shape;
        expect([height, width]).toEqual([24, 40]);
        for (let at = 0; at < size * height * width; at++) {
          const color = [...plain.subarray(3 * at, 3 * at + 3)];
          if (images.subarray(3 * at, 3 * at + 3).every((value) => value === 0)) {
            padded++;
            expect(masks[at]).toBe(255);
            expect(color).toEqual([0.485, 0.456, 0.406].map(Math.fround));
            continue;
          }
          const [row, column] = [Math.floor(at / width) % height, at % width];
          const radius = 4;
          if (row < radius || row >= height - radius || column < radius || column >= width - radius) continue;
          const window = Array.from({ length: (2 * radius + 1) ** 2 }, (_, index) => {
            const [down, across] = [Math.floor(index / (2 * radius + 1)) - radius, (index % (2 * radius + 1)) - radius];
            return masks[at + down * width + across];
          });
          const [first = 255] = window;
          if (first === 255 || !window.every((value) => value === first)) continue;
          compared++;
          expect(color.map((value) => Math.round(255 * value))).toEqual(colors[first]);
        }
      }
    }
    expect(compared).toBeGreaterThan(1000);
    expect(padded).toBeGreaterThan(1000);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('normalize the distorted image, whose map is not distorted', async () => {
    const source = await sourceOf(sizes);
    const changed = await batchesOf(source);
    const plain = await batchesOf(source, { augmentation: { crops: 'scaled', distortion: false } });
    const { mean, deviation } = imagePipelines.cityscapes.normalization;
    let different = 0;
    for (const [index, { images, plain: distorted, masks }] of changed.entries()) {
      expect(masks).toEqual(plain[index]?.masks);
      for (const [at, value] of images.entries()) {
        const expected = ((distorted[at] ?? 0) - (mean[at % 3] ?? 0)) / (deviation[at % 3] ?? 1);
        if (Math.abs(value - expected) > 1e-5) throw new Error(`value ${at} is ${value}, not ${expected}`);
        if (value !== plain[index]?.images[at]) different++;
      }
    }
    expect(different).toBeGreaterThan(1000);
  });

  it('are the same bits for any number of workers and batch size, and after resuming within an epoch', async () => {
    const source = await sourceOf(sizes);
    const expected = samplesOf(await batchesOf(source, { workers: 1, ahead: 1 }, 1));
    expect(expected).toHaveLength(5);
    expect(samplesOf(await batchesOf(source, { workers: 4 }, 1))).toEqual(expected);
    expect(samplesOf(await batchesOf(source, { workers: 3, batchSize: 5 }, 1))).toEqual(expected);
    expect(samplesOf(await batchesOf(source, { workers: 4 }, 1, 2))).toEqual(expected.slice(2));
    expect(samplesOf(await batchesOf(source, {}, 2))).not.toEqual(expected);
    expect(samplesOf(await batchesOf(source, { seed: 7 }, 1))).not.toEqual(expected);
  });

  it('need label maps and color, and options in their bounds', async () => {
    const { maps, ...classes } = await sourceOf(sizes);
    expect(() => createImageBatches(classes, options)).toThrow(
      /'crops' is 'scaled'; allowed: undefined for 'shapes', whose images have no label maps/,
    );
    const source = await sourceOf(sizes);
    const rejected = (augmentation: object, message: RegExp, more: object = {}) =>
      expect(() => createImageBatches(source, { ...options, ...more, augmentation: augmentation as never })).toThrow(
        message,
      );
    rejected({ crops: 'random' }, /'crops' is 'random'; allowed: 'scaled', or no 'crops'/);
    rejected(
      { crops: 'scaled', area: [0.1, 1] },
      /Unknown option of createImageBatches, augmentation 'area'.*largestClass/,
    );
    rejected(
      { crops: 'scaled', scale: [2, 0.5] },
      /'scale' is \[2,0\.5\]; allowed: two numbers, 0 < lower ≤ upper ≤ 16/,
    );
    rejected({ crops: 'scaled', base: [1024] }, /'base'.*two integers/);
    rejected({ crops: 'scaled', largestClass: 0 }, /'largestClass' is 0; allowed: numbers > 0 and ≤ 1/);
    rejected({ crops: 'scaled', flip: 1 }, /'flip' is 1/);
    rejected(
      { crops: 'scaled', distortion: { gamma: 2 } },
      /distortion 'gamma'.*brightness, contrast, saturation, hue/,
    );
    rejected({ crops: 'scaled', distortion: { brightness: -1 } }, /'brightness' is -1/);
    rejected({ crops: 'scaled', distortion: { contrast: [1.5, 0.5] } }, /'contrast'/);
    rejected({ crops: 'scaled', distortion: { hue: 3.5 } }, /'hue' is 3\.5; allowed: integers from 0 to 90/);
    const gray = { channels: 1, normalization: { mean: [0.5], deviation: [0.5] } };
    rejected({ crops: 'scaled' }, /'distortion'.*false for gray images/, gray);
    expect(
      createImageBatches(source, {
        ...options,
        ...gray,
        channels: 1,
        augmentation: { crops: 'scaled', distortion: false },
      }).samples,
    ).toBe(5);
  });
});

describe('whole images', () => {
  const whole: Partial<ImageBatchOptions> = { size: 'whole', augmentation: undefined as never, shuffle: false };

  it('keep their size, with whole maps; a batch ends where the size changes', async () => {
    const source = await sourceOf([sizes[0], sizes[3], sizes[0], sizes[2], sizes[1]] as Sizes);
    const batches = await batchesOf(source, whole);
    expect(batches.map(({ shape }) => shape)).toEqual([
      [2, 48, 80, 3],
      [1, 48, 80, 3],
      [1, 64, 40, 3],
      [1, 30, 50, 3],
    ]);
    for (const [index, { masks, plain }] of batches.slice(1).entries()) {
      const map = await source.maps?.read(index + 2);
      expect([...masks]).toEqual([...(map?.values ?? [])]);
      for (const [at, value] of masks.entries()) {
        const color = [...plain.subarray(3 * at, 3 * at + 3)].map((level) => Math.round(255 * level));
        expect(color).toEqual(colors[value] ?? [5, 5, 5]);
      }
    }
    const resumed = await batchesOf(source, whole, 0, 3);
    expect(resumed).toEqual(batches.slice(2));
  });

  it('are not cropped, shifted or erased', async () => {
    const source = await sourceOf(sizes);
    for (const [option, value] of Object.entries({
      ...{ shorter: 30, augmentation: { crops: 'scaled' }, shift: { pad: 1 }, cutout: { size: 3 } },
    })) {
      expect(() => createImageBatches(source, { ...options, ...whole, [option]: value })).toThrow(
        new RegExp(`'${option}'.*undefined with size 'whole'`),
      );
    }
  });
});
