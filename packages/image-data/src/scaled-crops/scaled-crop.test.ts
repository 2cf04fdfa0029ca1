import { createRandom, type Random } from '@localgrad/nn/random';
import { describe, expect, it } from 'vitest';
import type { LabelMap } from '../label-maps/png-values.js';
import { type ScaledCropOptions, scaledCropGeometry } from './scaled-crop.js';

const mapOf = (height: number, width: number, classAt: (row: number, column: number) => number): LabelMap => ({
  height,
  width,
  values: Uint8Array.from({ length: height * width }, (_, at) => classAt(Math.floor(at / width), at % width)),
});
const stripes = mapOf(40, 80, (_, column) => column % 4);

const geometriesOf = (count: number, map: LabelMap, size: readonly [number, number], options = {}) => {
  const random = createRandom(17);
  const rule = scaledCropGeometry(size, { crops: 'scaled', ...options }, random);
  return Array.from({ length: count }, () => {
    const { resize = [0, 0], crop, flip } = rule(map.height, map.width, map);
    if (crop === undefined) throw new Error('no crop');
    return { resize, crop, flip };
  });
};

/** Kolmogorov–Smirnov at a significance of 0.001, for values in steps. */
function expectUniform(values: readonly number[], low: number, high: number, step: number): void {
  const sorted = values.map((value) => (value - low) / (high - low)).sort((a, b) => a - b);
  const distance = Math.max(...sorted.map((value, index) => Math.abs(value - (index + 0.5) / sorted.length)));
  expect(distance).toBeLessThan(1.95 / Math.sqrt(sorted.length) + step / (high - low));
}

/** The share of the most frequent class in a crop at the original scale, and the number of its classes. */
function contentOf(
  { values, width }: LabelMap,
  { top, left, ...crop }: { top: number; left: number; height: number; width: number },
) {
  const counts = new Map<number, number>();
  for (let at = 0; at < crop.height * crop.width; at++) {
    const value = values[(top + Math.floor(at / crop.width)) * width + left + (at % crop.width)] ?? 255;
    if (value !== 255) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const labeled = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return { classes: counts.size, share: Math.max(0, ...counts.values()) / labeled };
}

describe('scaledCropGeometry', () => {
  it('scales by a uniform factor from 0.5 to 2 and keeps the ratio', () => {
    const found = geometriesOf(5000, stripes, [20, 40]);
    for (const { resize, crop } of found) {
      expect(resize[1]).toBeGreaterThanOrEqual(40);
      expect(resize[1]).toBeLessThanOrEqual(160);
      expect(Math.abs(2 * resize[0] - resize[1])).toBeLessThanOrEqual(1);
      expect([crop.height, crop.width]).toEqual([20, 40]);
      expect(crop.top + 20).toBeLessThanOrEqual(resize[0]);
      expect(crop.left + 40).toBeLessThanOrEqual(resize[1]);
    }
    expectUniform(
      found.map(({ resize }) => resize[1]),
      40,
      160,
      1,
    );
  });

  it('crops at uniform positions, and flips half of the images', () => {
    const draws = 5000;
    const found = geometriesOf(draws, stripes, [12, 30], { scale: [1, 1] });
    expectUniform(
      found.map(({ crop }) => crop.top + 0.5),
      0,
      29,
      1,
    );
    expectUniform(
      found.map(({ crop }) => crop.left + 0.5),
      0,
      51,
      1,
    );
    const flipped = found.filter(({ flip }) => flip === true).length / draws;
    expect(Math.abs(flipped - 0.5)).toBeLessThan(4 * Math.sqrt(0.25 / draws));
    expect(geometriesOf(200, stripes, [12, 30], { flip: false }).some(({ flip }) => flip === true)).toBe(false);
  });

  it('fits images into a base, as MMCV does', () => {
    const sizeOf = (height: number, width: number, options: Partial<ScaledCropOptions>) => {
      const map = mapOf(height, width, (row) => row % 2);
      return geometriesOf(1, map, [8, 8], { scale: [1, 1], ...options })[0]?.resize;
    };
    expect(sizeOf(100, 300, { base: [64, 128] })).toEqual([43, 128]);
    expect(sizeOf(100, 300, { base: [128, 64] })).toEqual([43, 128]);
    expect(sizeOf(300, 100, { base: [64, 128] })).toEqual([128, 43]);
    expect(sizeOf(100, 300, {})).toEqual([100, 300]);
    // 0.7503 × 2048 and 0.7503 × 1024 are truncated before the smaller ratio is chosen.
    expect(sizeOf(1024, 2048, { scale: [0.7503, 0.7503] })).toEqual([768, 1536]);
  });

  it('keeps images smaller than the crop as they are', () => {
    const [only] = geometriesOf(1, stripes, [64, 60], { scale: [1, 1] });
    expect(only?.crop).toMatchObject({ top: 0, height: 40, width: 60 });
  });

  it('tries ten crops for one with several classes, none of which has 75 %', () => {
    // A few crops see enough of the second class.
    const map = mapOf(40, 80, (row, column) => (column < 6 ? 255 : column < 16 && row < 30 ? 1 : 0));
    const size = [20, 20] as const;
    const draws = 6000;
    const isAllowed = ({ crop }: { crop: Parameters<typeof contentOf>[1] }) => {
      const { classes, share } = contentOf(map, crop);
      return classes > 1 && share < 0.75;
    };
    const fractionOf = (options: object) =>
      geometriesOf(draws, map, size, { scale: [1, 1], ...options }).filter(isAllowed).length / draws;
    const one = fractionOf({ largestClass: 1 });
    expect(one).toBeGreaterThan(0.05);
    expect(one).toBeLessThan(0.3);
    // Ten are examined; the one after them is used whatever it has.
    const expected = 1 - (1 - one) ** 11;
    expect(Math.abs(fractionOf({}) - expected)).toBeLessThan(0.04);
  });

  it.each([
    ['one class, and pixels without a class', (row: number) => (row < 2 ? 255 : 1), 10],
    ['no class', () => 255, 10],
    ['exactly 75 % of one class', (row: number) => (row < 4 ? 0 : 1), 10],
    ['less than 75 % of one class among labeled pixels', (row: number) => (row < 12 ? 255 : row < 14 ? 1 : 0), 0],
  ])('examines %s', (_, classAt, repeated) => {
    let positions = 0;
    const random = createRandom(1);
    const counting: Random = Object.assign(Object.create(random), {
      integer: (limit: number) => {
        positions++;
        return random.integer(limit);
      },
      uniform: () => random.uniform(),
    });
    const map = mapOf(16, 16, classAt);
    scaledCropGeometry(16, { crops: 'scaled', scale: [1, 1] }, counting)(16, 16, map);
    expect(positions).toBe(2 * (1 + repeated));
  });
});
