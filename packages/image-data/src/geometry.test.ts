import { describe, expect, it } from 'vitest';
import { centralGeometry } from './geometry.js';
import { createImageBatches } from './image-batches.js';

const source = {
  ...{ name: 'photos', classes: ['a'], size: 4, labels: new Int32Array(4) },
  read: async () => new Uint8Array(0),
  locate: (index: number) => `${index}.jpg`,
};

describe('createImageBatches', () => {
  it.each([
    [{ scale: [0.2, 1] }, /Unknown option of createImageBatches, augmentation 'scale'. Allowed: area, ratio, flip/],
    [{ size: 3 }, /augmentation 'size'/],
    [{ area: [0.5, 0.2] }, /'area' is \[0\.5,0\.2\]; allowed: two numbers, 0 < lower ≤ upper ≤ 1/],
    [{ area: [0.5, 2] }, /'area'/],
    [{ area: 0.5 }, /'area'/],
    [{ area: [Number.NaN, 1] }, /'area'/],
    [{ ratio: [0, 1] }, /'ratio' is \[0,1\]; allowed: two numbers, 0 < lower ≤ upper\./],
    [{ ratio: [2, 1] }, /'ratio'/],
    [{ flip: 'no' }, /'flip' is 'no'/],
  ])('rejects the augmentation %j', (augmentation, message) => {
    const create = () => createImageBatches(source, { batchSize: 2, size: 8, augmentation: augmentation as never });
    expect(create).toThrow(message);
  });

  it('accepts bounds that coincide', () => {
    const augmentation = { area: [0.5, 0.5], ratio: [1, 1], flip: false } as const;
    expect(createImageBatches(source, { batchSize: 2, size: 8, augmentation }).batchesPerEpoch).toBe(2);
  });
});

it('centralGeometry needs a whole number of pixels', () => {
  expect(() => centralGeometry(8, 9.5)).toThrow(/'shorter' is 9\.5; allowed: integers ≥ 8/);
});

it.each([
  [[20, 30], undefined, [10, 16], [1, 0]],
  [[30, 10], undefined, [48, 16], [20, 0]],
  [[8, 16], undefined, [8, 16], [0, 0]],
  [[20, 30], 10, [13, 20], [2, 2]],
] as const)(
  'centralGeometry covers 8×16 with images of %j (shorter: %j)',
  ([height, width], shorter, resize, [top, left]) => {
    expect(centralGeometry([8, 16], shorter)(height, width)).toEqual({
      resize,
      crop: { top, left, height: 8, width: 16 },
    });
  },
);

it('centralGeometry of a square and of two equal sides are the same', () => {
  for (const [height, width] of [
    [33, 47],
    [500, 375],
    [24, 24],
  ] as const) {
    expect(centralGeometry([32, 32], 36)(height, width)).toEqual(centralGeometry(32, 36)(height, width));
  }
});
