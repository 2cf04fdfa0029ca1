import { readFileSync } from 'node:fs';
import { createRandom } from '@localgrad/nn/random';
import { describe, expect, it } from 'vitest';
import { fixture } from '../images.fixture.js';
import { type ColorDistortion, distortColors, sampleDistortion } from './color-distortion.js';

/** Computed by OpenCV and NumPy (scripts/scaled_crop_fixtures.py). */
interface Expectations {
  readonly colors: string;
  readonly distorted: readonly { readonly distortion: Partial<ColorDistortion>; readonly pixels: string }[];
}

const expected: Expectations = JSON.parse(readFileSync(fixture('scaled-crops', 'expected.json'), 'utf8'));
const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));
const none: ColorDistortion = {
  brightness: undefined,
  isContrastFirst: false,
  contrast: undefined,
  saturation: undefined,
  hue: undefined,
};

describe('distortColors', () => {
  it.each(expected.distorted)('returns the bytes of OpenCV: $distortion', ({ distortion, pixels }) => {
    const bytes = bytesOf(expected.colors);
    distortColors(bytes, { ...none, ...distortion });
    const wanted = bytesOf(pixels);
    expect(bytes).toHaveLength(wanted.length);
    const differences = [...bytes].map((byte, index) => Math.abs(byte - (wanted[index] ?? 0)));
    // OpenCV fuses some products, which moves a value across an integer now and then.
    expect(differences.filter((difference) => difference > 0).length).toBeLessThan(bytes.length / 200);
    expect(Math.max(...differences)).toBeLessThanOrEqual(distortion.contrast === undefined ? 1 : 2);
  });

  it('changes nothing without changes', () => {
    const bytes = bytesOf(expected.colors);
    distortColors(bytes, none);
    expect(bytes).toEqual(bytesOf(expected.colors));
  });
});

describe('sampleDistortion', () => {
  const draws = 20_000;
  const random = createRandom(3);
  const samples = Array.from({ length: draws }, () => sampleDistortion({}, random));
  const uniform = (values: readonly number[], low: number, high: number) => {
    const sorted = values.map((value) => (value - low) / (high - low)).sort((a, b) => a - b);
    const distance = Math.max(...sorted.map((value, index) => Math.abs(value - (index + 0.5) / sorted.length)));
    // Kolmogorov–Smirnov at a significance of 0.001.
    expect(distance).toBeLessThan(1.95 / Math.sqrt(sorted.length) + 1 / sorted.length);
  };
  /** Four standard deviations of a fraction of one half. */
  const tolerance = 4 * Math.sqrt(0.25 / draws);

  it.each([
    ['brightness', -32, 32],
    ['contrast', 0.5, 1.5],
    ['saturation', 0.5, 1.5],
  ] as const)('changes %s in half of the images, uniformly from %d to %d', (key, low, high) => {
    const values = samples.flatMap((sample) => sample[key] ?? []);
    expect(Math.abs(values.length / draws - 0.5)).toBeLessThan(tolerance);
    uniform(values, low, high);
  });

  it('turns the hue of half of the images by −18 to 17', () => {
    const values = samples.flatMap(({ hue }) => hue ?? []);
    expect(Math.abs(values.length / draws - 0.5)).toBeLessThan(tolerance);
    const counts = Array.from({ length: 36 }, (_, index) => values.filter((value) => value === index - 18).length);
    expect(counts.reduce((sum, count) => sum + count)).toBe(values.length);
    const mean = values.length / 36;
    const chi = counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0);
    // 35 degrees of freedom, significance 0.001.
    expect(chi).toBeLessThan(66.6);
  });

  it('changes each independently, contrast before the others in half of the images', () => {
    const isChanged = samples.map((sample) =>
      [sample.brightness, sample.contrast, sample.saturation, sample.hue].map((value) => value !== undefined),
    );
    const combinations = new Map<string, number>();
    for (const one of isChanged) combinations.set(`${one}`, (combinations.get(`${one}`) ?? 0) + 1);
    expect(combinations.size).toBe(16);
    for (const count of combinations.values()) expect(Math.abs(count / draws - 1 / 16)).toBeLessThan(0.008);
    const first = samples.filter(({ isContrastFirst }) => isContrastFirst).length;
    expect(Math.abs(first / draws - 0.5)).toBeLessThan(tolerance);
  });
});
