import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createDecoder } from './decode.js';
import { fixture } from './images.fixture.js';

/** What PIL makes of the files (scripts/color_fixtures.py). */
interface Shrunk {
  readonly size: readonly [height: number, width: number];
  readonly small: readonly number[];
}

const { transparent }: { readonly transparent: Readonly<Record<string, Shrunk>> } = JSON.parse(
  readFileSync(fixture('colors', 'expected.json'), 'utf8'),
);

describe('createDecoder', () => {
  // Noise is further from PIL than photographs; colors weighted by transparency would be off by up to 250.
  it.each(Object.entries(transparent))(
    'shrinks %s like PIL, whatever is transparent',
    async (name, { size, small }) => {
      const decode = await createDecoder(3);
      const content = readFileSync(fixture('colors', `transparent-${name}`));
      const found: number[][] = [];
      const { bytes } = await decode(content, name, (height, width) => {
        found.push([height, width]);
        return { resize: [Math.floor(height / 3), Math.floor(width / 2)] };
      });
      expect(found).toEqual([size]);
      expect(bytes).toHaveLength(small.length);
      const differences = [...bytes].map((value, index) => Math.abs(value - (small[index] ?? Number.NaN)));
      expect(Math.max(...differences)).toBeLessThanOrEqual(16);
    },
  );
});
