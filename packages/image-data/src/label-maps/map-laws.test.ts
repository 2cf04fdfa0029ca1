import { type BatchOptions, createBatches, type DataBatch } from '@localgrad/data';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import type { EncodedImages } from '../encoded-images.js';
import { createImageBatches, type ImageBatchOptions } from '../image-batches.js';
import { loadImages } from '../load-images.js';
import { transformMap } from './map-geometry.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

type Size = readonly [height: number, width: number];
/** A function of the position of a pixel. */
type At = (row: number, column: number) => number;

const plain = { mean: [0, 0, 0], deviation: [1, 1, 1] };

/** An image of two channels, and a third that is 0, with a label map. */
async function source([height, width]: Size, red: At, green: At, map: At): Promise<EncodedImages> {
  const positions = Array.from({ length: height * width }, (_, at) => [Math.floor(at / width), at % width] as const);
  const colors = positions.flatMap(([row, column]) => [red(row, column), green(row, column), 0]);
  const content = await sharp(Buffer.from(colors), { raw: { height, width, channels: 3 } })
    .png()
    .toBuffer();
  const values = Uint8Array.from(positions, ([row, column]) => map(row, column));
  return {
    name: 'positions',
    classes: Array.from({ length: 255 }, (_, index) => `class ${index}`),
    size: 1,
    labels: new Int32Array(),
    locate: () => 'image.png',
    read: async () => content,
    maps: {
      read: async () => ({ height, width, values }),
      readFile: async () => new Uint8Array(),
      locate: () => 'map.png',
    },
  };
}

/** Bytes of the red and green channels, and classes. */
function contentOf(batch: DataBatch) {
  const values = batch.images.dataSync();
  const classes = [...(batch.targets.masks?.dataSync() ?? [])];
  const bytes = (channel: number) => classes.map((_, pixel) => Math.round(255 * (values[3 * pixel + channel] ?? 0)));
  batch.dispose();
  return { red: bytes(0), green: bytes(1), classes };
}

/** One augmented sample. */
async function augmented(images: EncodedImages, options: Omit<ImageBatchOptions, 'batchSize'>) {
  const batches = createImageBatches(images, { batchSize: 1, normalization: plain, ...options });
  for await (const batch of batches.epoch(0)) return contentOf(batch);
  throw new Error('The epoch has no batch.');
}

async function inMemory(images: EncodedImages, options: Pick<BatchOptions, 'augmentation' | 'seed'>) {
  const batches = createBatches(await loadImages(images), { batchSize: 1, normalization: plain, ...options });
  for (const batch of batches.epoch(0)) return contentOf(batch);
  throw new Error('The epoch has no batch.');
}

const sides = fc.integer({ min: 1, max: 30 });
const sizes = fc.tuple(sides, sides);
const seeds = fc.integer({ min: 0, max: 10_000 });
const numRuns = process.env.LOCALGRAD_TESTS === 'all' ? 20 : 10;

describe('each pixel of an image keeps its class', () => {
  const kinds: readonly (readonly [string, (size: Size) => Partial<ImageBatchOptions>])[] = [
    ['crops of the center', () => ({})],
    ['random crops', () => ({ augmentation: {} })],
    ['oblong random crops', () => ({ augmentation: { area: [0.1, 1], ratio: [0.3, 3] } })],
    ['scaled crops', () => ({ augmentation: { crops: 'scaled', largestClass: 1, distortion: false } })],
    [
      'crops scaled to a base',
      () => ({ augmentation: { crops: 'scaled', base: [40, 20], largestClass: 1, distortion: false } }),
    ],
    ['whole images', () => ({ size: 'whole' })],
  ];

  it.each(kinds)('%s', async (_, optionsOf) => {
    await fc.assert(
      fc.asyncProperty(sizes, sizes, seeds, async (original, size, seed) => {
        const options = { size, seed, ...optionsOf(size) };
        // Colors encode the position of a pixel, and so do its classes: of its column in one map, of its row in the other.
        const step = Math.floor(254 / Math.max(...original));
        const red: At = (_row, column) => 1 + step * column;
        const green: At = (row) => 1 + step * row;
        const columns = await augmented(await source(original, red, green, (_row, column) => column), options);
        const rows = await augmented(await source(original, red, green, (row) => row), options);
        expect(rows.red).toEqual(columns.red);
        for (const [pixel, column] of columns.classes.entries()) {
          const [x, y, row] = [columns.red[pixel] ?? 0, columns.green[pixel] ?? 0, rows.classes[pixel] ?? 0];
          if (x === 0) {
            expect([column, row]).toEqual([255, 255]);
            continue;
          }
          // Bytes are rounded, and shrinking averages over the part of a pixel's surroundings that lies inside.
          const apart = (side: 0 | 1) => 0.5 + 1 / step + 0.1 * Math.max(1, original[side] / size[side]);
          expect(Math.abs((x - 1) / step - column)).toBeLessThanOrEqual(apart(1));
          expect(Math.abs((y - 1) / step - row)).toBeLessThanOrEqual(apart(0));
        }
      }),
      { numRuns },
    );
  });

  it.each(['in memory', 'decoded during training'])('shifts and flips %s', async (how) => {
    const shifts = fc.record({
      pad: fc.integer({ min: 0, max: 4 }),
      padding: fc.constantFrom('zero' as const, 'reflect' as const),
      flip: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.tuple(sides, sides), shifts, seeds, async ([height, width], shift, seed) => {
        const size: Size = [height + 4, width + 4];
        // Black is padding, which has no class; every other color is that of one class.
        const classAt: At = (row, column) => (row * 37 + column * 101 + seed) % 254;
        const images = await source(
          size,
          (row, column) => 1 + classAt(row, column),
          () => 0,
          classAt,
        );
        const { red, classes } =
          how === 'in memory'
            ? await inMemory(images, { augmentation: shift, seed })
            : await augmented(images, { size, shift, seed });
        expect(classes).toEqual(red.map((byte) => (byte === 0 ? 255 : byte - 1)));
      }),
      { numRuns },
    );
  });

  it('mirrored twice', () => {
    const values = fc.uint8Array({ minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(values, fc.constantFrom(1, 2, 3, 4, 6, 12), (map, height) => {
        const original = { height, width: 12 / height, values: map };
        expect(transformMap(transformMap(original, { flip: true }), { flip: true })).toEqual(original);
      }),
    );
  });
});
