import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createDecoder } from '../decode.js';
import { type Expected, fixture, hashOf } from '../images.fixture.js';

/** Colors that PIL reads from the files; 16-bit grays are scaled by numpy (scripts/format_fixtures.py). */
const { formats, avif }: { readonly formats: Readonly<Record<string, Expected>>; readonly avif: readonly number[] } =
  JSON.parse(readFileSync(fixture('formats', 'expected.json'), 'utf8'));

const contentOf = (name: string) => readFileSync(fixture('formats', name));

describe('createDecoder', () => {
  it.each(Object.entries(formats))('decodes %s to the colors of PIL', async (name, { shape, sha256 }) => {
    const decode = await createDecoder(3);
    const { height, width, bytes } = await decode(contentOf(name), name);
    expect([height, width, 3]).toEqual(shape);
    expect(hashOf(bytes)).toBe(sha256);
  });

  it('decodes the first frame of an animated AVIF file, up to the rounding of its decoder', async () => {
    const decode = await createDecoder(3);
    const { height, width, bytes } = await decode(contentOf('animated.avif'), 'animated.avif');
    expect([height, width]).toEqual([48, 64]);
    for (const [index, value] of avif.entries()) {
      const [row, column] = [Math.floor(index / (16 * 3)), Math.floor(index / 3) % 16];
      const found = bytes[3 * (4 * row * width + 4 * column) + (index % 3)] ?? Number.NaN;
      expect(Math.abs(found - value)).toBeLessThanOrEqual(2);
    }
  });

  it.each([
    ['lab.tif', /^lab\.tif: expected a TIFF image with color space gray, RGB, palette, CMYK or YCbCr; found .* CIELab/],
    ['float.tif', /expected a TIFF image with 1, 2, 4, 8 or 16 bits per value; found 32 bits\. Convert it/],
    ['signed.tif', /expected a TIFF image with unsigned integers; found signed or floating-point values/],
    ['twelve-bits.tif', /expected a TIFF image with 1, 2, 4, 8 or 16 bits per value; found 12 bits/],
    ['zstandard.tif', /expected a TIFF image with compression none, CCITT, LZW.*; found compression Zstandard/],
    ['truncated.tif', /^truncated\.tif: expected an image .*found \d+ bytes that cannot be decoded/],
    ['subsampled.tif', /expected a TIFF image with YCbCr colors .* not subsampled/],
    ['truncated.gif', /^truncated\.gif: expected a GIF image, found 2000 bytes that cannot be decoded/],
  ])('rejects %s, of which the pixels would be wrong', async (name, message) => {
    const decode = await createDecoder(3);
    const decoding = decode(contentOf(name), name);
    await expect(decoding).rejects.toThrow(message);
    await expect(decoding).rejects.toMatchObject({ code: 'invalid-data', details: { path: name } });
  });

  it('rejects formats that are not allowed, and damaged headers', async () => {
    const decode = await createDecoder(3);
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>');
    await expect(decode(svg, 'a.png')).rejects.toThrow(
      'a.png: expected an image (JPEG, PNG, WebP, GIF, TIFF or AVIF), found the format svg.',
    );
    await expect(decode(Buffer.from('II*\0\xff\xff\xff\x7f', 'latin1'), 'a.tif')).rejects.toThrow(
      'a.tif: expected a TIFF image with a directory of tags; found none that can be read.',
    );
    for (let length = 6; length < contentOf('plain.gif').length - 1; length++) {
      const decoding = decode(contentOf('plain.gif').subarray(0, length), 'a.gif');
      await expect(decoding).rejects.toThrow('a.gif: expected a GIF image, found');
    }
  });
});
