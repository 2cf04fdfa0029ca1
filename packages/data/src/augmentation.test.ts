import type { Random } from '@localgrad/nn/random';
import { describe, expect, it } from 'vitest';
import { type Augmentation, augment } from './augmentation.js';

/**
 * A generator that returns the given numbers: row and column of the crop's corner in the padded image, then a uniform
 * number.
 */
function drawing(top: number, left: number, uniform: number): Random {
  const integers = [top, left];
  return {
    integer: () => integers.shift() as number,
    uniform: () => uniform,
  } as unknown as Random;
}

// 1 2 3
// 4 5 6
// 7 8 9
const image = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9]);

function crop(augmentation: Augmentation, top: number, left: number, uniform = 0.9): number[][] {
  const target = new Uint8Array(9).fill(99);
  augment(image, target, [3, 3, 1], augmentation, drawing(top, left, uniform));
  return [0, 3, 6].map((start) => [...target.subarray(start, start + 3)]);
}

describe('augment', () => {
  it('crops from an image padded with zeros', () => {
    const pad: Augmentation = { pad: 1, padding: 'zero' };
    expect(crop(pad, 1, 1)).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ]);
    expect(crop(pad, 0, 0)).toEqual([
      [0, 0, 0],
      [0, 1, 2],
      [0, 4, 5],
    ]);
    expect(crop(pad, 2, 0)).toEqual([
      [0, 4, 5],
      [0, 7, 8],
      [0, 0, 0],
    ]);
    expect(crop(pad, 1, 2)).toEqual([
      [2, 3, 0],
      [5, 6, 0],
      [8, 9, 0],
    ]);
  });

  it('crops from an image with reflection padding, without repeating the edge', () => {
    // Padded by 2: 9 8 7 8 9 8 7 / 6 5 4 5 6 5 4 / 3 2 1 2 3 2 1 / 6 5 4 … / 9 8 7 … / 6 5 4 … / 3 2 1 …
    const pad: Augmentation = { pad: 2, padding: 'reflect' };
    expect(crop(pad, 0, 0)).toEqual([
      [9, 8, 7],
      [6, 5, 4],
      [3, 2, 1],
    ]);
    expect(crop(pad, 4, 4)).toEqual([
      [9, 8, 7],
      [6, 5, 4],
      [3, 2, 1],
    ]);
    expect(crop(pad, 1, 2)).toEqual([
      [4, 5, 6],
      [1, 2, 3],
      [4, 5, 6],
    ]);
  });

  it('flips the crop, not the image, for uniform numbers below ½', () => {
    expect(crop({ flip: true }, 0, 0, 0.49)).toEqual([
      [3, 2, 1],
      [6, 5, 4],
      [9, 8, 7],
    ]);
    expect(crop({ flip: true }, 0, 0, 0.5)).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ]);
    expect(crop({}, 0, 0, 0)).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ]);
    expect(crop({ pad: 1, flip: true }, 1, 0, 0)).toEqual([
      [2, 1, 0],
      [5, 4, 0],
      [8, 7, 0],
    ]);
  });

  it('keeps the channels of a pixel together', () => {
    const target = new Uint8Array(12);
    const color = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    augment(color, target, [2, 2, 3], { pad: 1, flip: true }, drawing(0, 1, 0));
    expect([...target]).toEqual([0, 0, 0, 0, 0, 0, 4, 5, 6, 1, 2, 3]);
  });
});
