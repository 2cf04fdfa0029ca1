import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createDecoder } from './decode.js';
import { fixture } from './images.fixture.js';

/** Parts of the photograph, resized by OpenCV (scripts/scaled_crop_fixtures.py). */
interface Expectations {
  readonly crop: { readonly height: number; readonly width: number };
  readonly scaled: readonly {
    readonly resize: readonly [number, number];
    readonly top: number;
    readonly left: number;
    readonly pixels: string;
  }[];
}

const expected: Expectations = JSON.parse(readFileSync(fixture('scaled-crops', 'expected.json'), 'utf8'));
const photo = readFileSync(fixture('resize', 'photo.png'));

describe('interpolation without antialiasing', () => {
  it.each(expected.scaled)('returns the bytes of OpenCV within 1: $resize', async ({ resize, top, left, pixels }) => {
    const decode = await createDecoder(3);
    const crop = { ...expected.crop, top, left };
    const { bytes } = await decode(photo, 'photo.png', () => ({ resize, crop, antialias: false }));
    const wanted = Buffer.from(pixels, 'base64');
    expect(bytes).toHaveLength(wanted.length);
    expect(Math.max(...[...bytes].map((byte, index) => Math.abs(byte - (wanted[index] ?? 0))))).toBeLessThanOrEqual(1);
  });

  it('is the same for a part as for the whole, from a region, with and without a flip', async () => {
    const decode = await createDecoder(3);
    const region = { top: 20, left: 30, height: 90, width: 101 };
    const crop = { top: 7, left: 11, height: 20, width: 30 };
    for (const resize of [
      [60, 70],
      [200, 50],
      [180, 210],
    ] as const) {
      for (const antialias of resize[0] > 90 ? [true, false] : [false]) {
        const geometry = { region, resize, antialias };
        const whole = await decode(photo, 'photo.png', () => geometry);
        const part = await decode(photo, 'photo.png', () => ({ ...geometry, crop }));
        const mirrored = await decode(photo, 'photo.png', () => ({ ...geometry, crop, flip: true }));
        for (let pixel = 0; pixel < 20 * 30; pixel++) {
          const [row, column] = [Math.floor(pixel / 30), pixel % 30];
          const colorAt = ({ bytes }: typeof whole, at: number) => [...bytes.subarray(3 * at, 3 * at + 3)];
          const wanted = colorAt(whole, (row + 7) * resize[1] + column + 11);
          expect(colorAt(part, pixel)).toEqual(wanted);
          expect(colorAt(mirrored, row * 30 + 29 - column)).toEqual(wanted);
        }
      }
    }
  });
});
