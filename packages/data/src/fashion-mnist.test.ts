import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { DatasetSplits } from './dataset.js';
import { fashionMnistSubset } from './fashion-mnist.js';
import { resizeTo } from './transforms.js';

// Read from the original IDX files by an independent script: the first 500 (100) images of each class, in file order.
const original = {
  train: {
    perClass: 500,
    pixels: '219e0834d6dbbfcccb72e61d67310bfef387e43aba6c40b2bc63758d7ad925c9',
    labels: '4e5c0e8f28b58a4a5a035b2c3ca5c4e9b9dcd1ae36ad28d9ac24bdc36dc09cf1',
    // Index, label, sum of the pixels, row 20 from column 8 to 19.
    images: [
      [0, 9, 76247, [216, 185, 197, 206, 198, 213, 240, 195, 227, 245, 239, 223]],
      [2500, 3, 65216, [0, 16, 255, 233, 236, 236, 236, 235, 237, 255, 0, 0]],
      [4999, 0, 52817, [122, 127, 116, 119, 119, 119, 122, 120, 118, 119, 117, 106]],
    ],
  },
  test: {
    perClass: 100,
    pixels: '3d7f6d64869a3f2d1afe64ae33ffb9b20670a91b31e3bbf0657e3999ec7b35cf',
    labels: '6b25654537ff83dd6c40fe0a122c7778d8219b2a88ff02c36dbdd21152fdb075',
    images: [
      [0, 9, 33456, [135, 120, 126, 127, 146, 185, 195, 209, 208, 255, 209, 177]],
      [500, 2, 67603, [104, 100, 121, 119, 107, 121, 120, 89, 96, 127, 101, 99]],
      [999, 5, 22553, [154, 78, 16, 144, 32, 0, 10, 166, 70, 0, 4, 0]],
    ],
  },
} as const;

describe('the embedded subset of Fashion-MNIST', () => {
  let splits: DatasetSplits;
  beforeAll(async () => {
    splits = await fashionMnistSubset();
  });
  const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

  it.each(['train', 'test'] as const)('has the original pixels, balanced across classes, in the %s set', (name) => {
    const { perClass, pixels, labels, images } = original[name];
    const split = splits[name];
    const counts = new Array<number>(10).fill(0);
    for (const label of split.labels) counts[label] = (counts[label] ?? 0) + 1;
    expect(counts).toEqual(new Array(10).fill(perClass));
    expect(split).toMatchObject({ size: 10 * perClass, imageShape: [28, 28, 1] });
    for (const [index, label, sum, row] of images) {
      const image = split.images.subarray(index * 784, (index + 1) * 784);
      expect(split.labels[index]).toBe(label);
      expect(image.reduce((total, value) => total + value, 0)).toBe(sum);
      expect([...image.subarray(20 * 28 + 8, 20 * 28 + 20)]).toEqual(row);
    }
    expect(sha256(split.images)).toBe(pixels);
    expect(sha256(Uint8Array.from(split.labels))).toBe(labels);
  });

  it('is downscaled to 16×16 by averaging 1.75 × 1.75 pixels', () => {
    const { train } = splits;
    const small = resizeTo(train, 16);
    // Pixel (8, 8) covers [14, 15.75) of both axes: weights 4/7 and 3/7.
    const at = (row: number, column: number) => train.images[row * 28 + column] as number;
    const expected = (16 * at(14, 14) + 12 * at(14, 15) + 12 * at(15, 14) + 9 * at(15, 15)) / 49;
    expect(small.images[8 * 16 + 8]).toBe(Math.round(expected));
    expect(at(14, 14)).toBeGreaterThan(0);
  });
});
