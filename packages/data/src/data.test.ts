import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Targets } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pickSamples } from './dataset.js';
import {
  type BatchOptions,
  createBatches,
  fashionMnist,
  type ImageDataset,
  loadDataset,
  measureNormalization,
  padTo,
  replicateChannels,
  resizeTo,
  take,
} from './index.js';

function tiny(size: number, shape: readonly [number, number, number] = [4, 4, 1]): ImageDataset {
  const length = shape[0] * shape[1] * shape[2];
  return {
    name: 'tiny',
    classes: ['a', 'b', 'c'],
    imageShape: shape,
    size,
    images: Uint8Array.from({ length: size * length }, (_, index) => (index * 37) % 256),
    labels: Uint8Array.from({ length: size }, (_, index) => index % 3),
  };
}

function idx(magic: number, dimensions: readonly number[], data: readonly number[]): Buffer {
  const header = Buffer.alloc(4 + 4 * dimensions.length);
  header.writeUInt32BE(magic, 0);
  for (const [index, extent] of dimensions.entries()) header.writeUInt32BE(extent, 4 + 4 * index);
  return Buffer.concat([header, Buffer.from(data)]);
}

describe('files', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'localgrad-data-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, content: Buffer) => writeFileSync(join(folder, name), content);
  const writeGood = () => {
    for (const prefix of ['train', 't10k']) {
      write(`${prefix}-images-idx3-ubyte.gz`, gzipSync(idx(0x803, [2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8])));
      write(`${prefix}-labels-idx1-ubyte`, idx(0x801, [2], [3, 9]));
    }
  };

  it('reads plain and gzipped IDX files', async () => {
    writeGood();
    const { train } = await fashionMnist({ folder });
    expect(train.imageShape).toEqual([2, 2, 1]);
    expect([...train.images]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...train.labels]).toEqual([3, 9]);
  });

  it.each([
    [
      'a wrong magic number',
      idx(0x801, [2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]),
      /byte 0: expected magic number 0x803, found 0x801/,
    ],
    [
      'truncation',
      idx(0x803, [2, 2, 2], [1, 2, 3]),
      /byte 19: expected 8 bytes of data.*found 3: the file is truncated/,
    ],
    ['too much', idx(0x803, [1, 2, 2], [1, 2, 3, 4, 5]), /byte 20: expected the end.*1 more/],
    ['another count than labels', idx(0x803, [1, 2, 2], [1, 2, 3, 4]), /labels.*byte 4: expected 1 labels/],
    ['half a header', Buffer.from([0, 0, 8]), /byte 3: expected a header of 16 bytes.*dataset-fashion-mnist/],
    ['no images', idx(0x803, [0, 2, 2], []), /byte 4: expected a positive number of images, found 0/],
    ['images without columns', idx(0x803, [2, 2, 0], []), /byte 12: expected a positive number of columns, found 0/],
  ])('reports file, offset and expected content for %s', async (_, content, message) => {
    writeGood();
    rmSync(join(folder, 'train-images-idx3-ubyte.gz'));
    write('train-images-idx3-ubyte', content);
    await expect(fashionMnist({ folder })).rejects.toThrow(message);
    rmSync(join(folder, 'train-images-idx3-ubyte'));
  });

  it('rejects corrupt gzip files, invalid labels and missing files', async () => {
    writeGood();
    write('train-labels-idx1-ubyte', idx(0x801, [2], [3, 10]));
    await expect(fashionMnist({ folder })).rejects.toThrow(/byte 9: expected a label below 10, found 10/);
    writeGood();
    write('t10k-images-idx3-ubyte.gz', gzipSync(Buffer.from('hello')).subarray(0, 12));
    await expect(fashionMnist({ folder })).rejects.toThrow(/not an intact gzip file/);
    writeGood();
    write('t10k-images-idx3-ubyte.gz', gzipSync(idx(0x803, [2, 2, 1], [1, 2, 3, 4])));
    await expect(fashionMnist({ folder })).rejects.toThrow(
      /t10k-images.*byte 8: expected images of 2×2, as for training, found 2×1/,
    );
    await expect(fashionMnist({ folder: join(folder, 'none') })).rejects.toThrow(
      /none' does not exist\..*dataset-fashion-mnist/,
    );
    const file = join(folder, 't10k-labels-idx1-ubyte');
    await expect(fashionMnist({ folder: file })).rejects.toThrow(/idx1-ubyte' is a file\./);
  });

  it('recognizes gzip without its suffix, zip archives, labels in place of images, and the right subfolder', async () => {
    const name = 'train-images-idx3-ubyte';
    const reading = async (content: Buffer) => {
      const own = mkdtempSync(join(folder, 'own-'));
      writeFileSync(join(own, name), content);
      writeFileSync(join(own, 'train-labels-idx1-ubyte'), idx(0x801, [1], [3]));
      return fashionMnist({ folder: own });
    };
    await expect(reading(gzipSync(idx(0x803, [1, 1, 1], [1])))).rejects.toThrow(/a gzip file: add '\.gz' to its name/);
    await expect(reading(Buffer.from('PK\x03\x04            '))).rejects.toThrow(/a zip archive: unpack it/);
    await expect(reading(idx(0x801, [8], [1, 2, 3, 4, 5, 6, 7, 8]))).rejects.toThrow(/found 0x801 \(labels\)/);
    const above = mkdtempSync(join(folder, 'above-'));
    mkdirSync(join(above, 'FashionMNIST', 'raw'), { recursive: true });
    writeFileSync(join(above, 'FashionMNIST', 'raw', `${name}.gz`), '');
    await expect(fashionMnist({ folder: above })).rejects.toThrow(/FashionMNIST\/raw' contains it: use that folder/);
  });

  it('stops decompressing at a hundred times the size of a file', async () => {
    const own = mkdtempSync(join(folder, 'bomb-'));
    writeFileSync(join(own, 'train-images-idx3-ubyte.gz'), gzipSync(Buffer.alloc(2 ** 24)));
    await expect(fashionMnist({ folder: own })).rejects.toThrow(
      /decompresses to more than [\d,]+ bytes, far more than images do/,
    );
  });

  it('limits images in memory to 4 GiB', () => {
    expect(() => resizeTo(tiny(3), 100_000)).toThrow(
      /resizeTo: option 'size' is 100000; allowed: integers from 1 to 37837/,
    );
    expect(() => padTo(tiny(3), 100_000)).toThrow(/allowed: integers from 4 to 37837/);
  });
});

describe('transforms', () => {
  it('centers when padding, averages areas, interpolates and repeats channels', () => {
    const one: ImageDataset = { ...tiny(1, [2, 2, 1]), images: Uint8Array.from([10, 20, 30, 40]) };
    expect([...padTo(one, 4).images]).toEqual([0, 0, 0, 0, 0, 10, 20, 0, 0, 30, 40, 0, 0, 0, 0, 0]);
    expect([...resizeTo(one, 1).images]).toEqual([25]);
    expect([...resizeTo(one, 4).images].slice(0, 4)).toEqual([10, 13, 18, 20]);
    expect(resizeTo(one, [1, 4])).toMatchObject({ imageShape: [1, 4, 1], images: Uint8Array.of(20, 23, 28, 30) });
    expect(() => resizeTo(one, [1, 4, 1] as never)).toThrow(/or two of them \(height, width\)/);
    expect([...replicateChannels(one, 3).images].slice(0, 6)).toEqual([10, 10, 10, 20, 20, 20]);
    const three: ImageDataset = { ...tiny(1, [3, 3, 1]), images: Uint8Array.from([9, 9, 9, 9, 0, 9, 9, 9, 9]) };
    // Each new pixel covers 1.5 × 1.5 old ones: a quarter of the black one is in each.
    expect([...resizeTo(three, 2).images]).toEqual([8, 8, 8, 8]);
  });

  it('takes samples of a Node.js Buffer as plain bytes, without its deprecated constructor', () => {
    const picked = pickSamples(Buffer.from([1, 2, 3, 4]), 2, [1, 0]);
    expect(picked).toEqual(Uint8Array.of(3, 4, 1, 2));
    expect(Buffer.isBuffer(picked)).toBe(false);
  });

  it('takes subsets balanced across classes', () => {
    const subset = take(tiny(30), 6, { seed: 3 });
    expect([...subset.labels].sort()).toEqual([0, 0, 1, 1, 2, 2]);
    expect([...take(tiny(30), 4, { by: 'first' }).labels]).toEqual([0, 1, 2, 0]);
    expect(() => take(tiny(3), 4)).toThrow(/1 to 3/);
    expect(() => take(tiny(3), 2, { sed: 1 } as never)).toThrow(/Did you mean 'seed'/);
  });

  it('measures mean and deviation per channel', () => {
    const two: ImageDataset = { ...tiny(2, [1, 1, 2]), images: Uint8Array.from([0, 51, 255, 51]) };
    const { mean, deviation } = measureNormalization(two);
    expect(mean[0]).toBeCloseTo(0.5, 12);
    expect(mean[1]).toBeCloseTo(0.2, 12);
    expect(deviation[0]).toBeCloseTo(0.5, 12);
    expect(deviation[1]).toBe(0);
  });

  it('measures a deviation of 0 if and only if all pixels of a channel are equal', () => {
    const measured = (images: Uint8Array) => measureNormalization({ images, imageShape: [1, images.length, 1] });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 1, max: 20_000 }), (byte, length) => {
        expect(measured(new Uint8Array(length).fill(byte))).toEqual({ mean: [byte / 255], deviation: [0] });
      }),
    );
    const odd = new Uint8Array(28 * 28 * 1000).fill(37);
    odd[5] = 38;
    // Two-point distribution: √(p (1 − p)) with p = 1 / n.
    const fraction = 1 / odd.length;
    const { deviation } = measured(odd);
    expect(deviation[0]).toBeCloseTo(Math.sqrt(fraction * (1 - fraction)) / 255, 15);
  });

  it('measures the same as a sum of squared differences from the mean', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 200 }), (images) => {
        const { mean, deviation } = measureNormalization({ images, imageShape: [1, images.length, 1] });
        const center = images.reduce((sum, byte) => sum + byte, 0) / images.length;
        const squares = images.reduce((sum, byte) => sum + (byte - center) ** 2, 0);
        expect(mean[0]).toBeCloseTo(center / 255, 12);
        expect(deviation[0]).toBeCloseTo(Math.sqrt(squares / images.length) / 255, 12);
      }),
    );
  });

  it('rejects inconsistent images, labels and sizes', () => {
    const good = tiny(6);
    for (const [change, message] of [
      [{ labels: Uint8Array.from([0, 1, 2, 3, 0, 1]) }, /labels from 0 to 2, found 3 for image 3/],
      [{ labels: Int32Array.of(0, 1, 2, 0, -1, 1) }, /labels from 0 to 2, found -1 for image 4/],
      [
        { labels: [0, 1, 2, Number.NaN, 1, 1] as unknown as Uint8Array },
        /'labels' of type Array; expected a Uint8Array/,
      ],
      [{ classes: [] }, /expected the names of the labels' classes in 'classes', found none/],
      [{ labels: new Uint8Array(5) }, /expected 6 labels, one for each image, found 5/],
      [{ images: new Uint8Array(95) }, /expected 6 images of 4×4×1 \(96 values\), found 95 values/],
      [{ size: 0 }, /a size of 1 or more, found 0/],
    ] as const) {
      const bad = { ...good, ...change };
      expect(() => take(bad, 2)).toThrow(message);
      expect(() => createBatches(bad, { batchSize: 2 })).toThrow(message);
    }
  });
});

describe('batches', () => {
  const options: BatchOptions = {
    batchSize: 3,
    shuffle: true,
    seed: 5,
    augmentation: { pad: 1, padding: 'reflect', flip: true },
  };
  const read = (batch: { images: tf.Tensor4D; targets: Targets; dispose(): void }) => {
    const values = [...batch.images.dataSync(), ...(batch.targets.labels?.dataSync() ?? [])];
    batch.dispose();
    return values;
  };

  it('continue identically from any position', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 11 }),
        fc.integer({ min: 1, max: 7 }),
        fc.nat(99),
        (stop, batchSize, seed) => {
          const batches = () => createBatches(tiny(8), { ...options, batchSize, seed });
          const straight: number[][] = [];
          let position = { epoch: 0, sample: 0 };
          let count = 0;
          for (const batch of batches().stream()) {
            if (count < stop) position = batch.next;
            straight.push(read(batch));
            if (++count === 14) break;
          }
          const resumed: number[][] = [];
          for (const batch of batches().stream(JSON.parse(JSON.stringify(position)))) {
            resumed.push(read(batch));
            if (resumed.length === 14 - stop) break;
          }
          expect(resumed).toEqual(straight.slice(stop));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('augment a sample independently of the batch size, and differently in each epoch', () => {
    const all = (batchSize: number, epoch: number) =>
      [...createBatches(tiny(8), { ...options, batchSize }).epoch(epoch)].flatMap((batch) => {
        const values = [...batch.images.dataSync()];
        batch.dispose();
        return values;
      });
    expect(all(3, 1)).toEqual(all(8, 1));
    expect(all(8, 0)).not.toEqual(all(8, 1));
  });

  it('normalize to mean 0 and deviation 1, keep or drop the last batch, and return images in [0, 1]', () => {
    const before = tf.memory().numTensors;
    const batches = createBatches(tiny(8, [4, 4, 3]), { batchSize: 8, withImages: true });
    const [batch] = [...batches.epoch(0)];
    const { mean, variance } = tf.moments(batch?.images as tf.Tensor4D, [0, 1, 2]);
    for (const value of mean.dataSync()) expect(value).toBeCloseTo(0, 4);
    for (const value of variance.dataSync()) expect(value).toBeCloseTo(1, 3);
    const raw = batch?.targets.images?.dataSync() ?? [];
    expect([raw[0], raw[1]]).toEqual([0, Math.fround(37 / 255)]);
    tf.dispose([mean, variance]);
    batch?.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(createBatches(tiny(8), { batchSize: 3 }).batchesPerEpoch).toBe(3);
    expect(createBatches(tiny(8), { batchSize: 3, dropLast: true }).samples).toBe(6);
  });

  it('report the allowed options and values', async () => {
    expect(() => createBatches(tiny(8), { batchSize: 9 })).toThrow(/1 to 8/);
    expect(() => createBatches(tiny(8), { batchsize: 3 } as never)).toThrow(/Did you mean 'batchSize'/);
    expect(() => createBatches(tiny(8), { batchSize: 2, augmentation: { pad: 4 } })).toThrow(/0 to 3/);
    await expect(loadDataset('cifar')).rejects.toThrow(/Allowed: fashion-mnist-subset, fashion-mnist, cifar10/);
    const batches = createBatches(tiny(8), { batchSize: 3, dropLast: true });
    expect(() => [...batches.epoch(0, 7)]).toThrow(/fromSample.*0 to 6/);
    expect([...batches.epoch(0, 6)]).toEqual([]);
    const black: ImageDataset = { ...tiny(8), images: new Uint8Array(128) };
    expect(() => createBatches(black, { batchSize: 2 })).toThrow(/channel 0 has the same value in every image/);
    const normalization = { mean: [0], deviation: [0] };
    expect(() => createBatches(black, { batchSize: 2, normalization })).toThrow(/positive deviation of 1 channels/);
    for (const name of ['constructor', 'toString', '__proto__'])
      await expect(loadDataset(name)).rejects.toThrow(/Unknown data set/);
    await expect(loadDataset('cifar10')).rejects.toThrow(/folder/);
    await expect(loadDataset('fashion-mnist-subset', { folder: 'x' })).rejects.toThrow(/has no option 'folder'/);
    await expect(loadDataset('fashion-mnist-subset', { channels: 2 as never })).rejects.toThrow(/allowed: 1, 3/);
    const { train, config } = await loadDataset('fashion-mnist-subset', { resize: 16, train: 20, channels: 3 });
    expect(train.imageShape).toEqual([16, 16, 3]);
    expect(config).toEqual({ dataset: 'fashion-mnist-subset', resize: 16, train: 20, channels: 3 });
    await expect(loadDataset('fashion-mnist-subset', { train: 6000 })).rejects.toThrow(
      /'fashion-mnist-subset': option 'train images' is 6000; allowed: 1 to 5000/,
    );
  });
});
