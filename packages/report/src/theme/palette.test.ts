import { describe, expect, it } from 'vitest';
import { paper, seriesColors, withPageColors } from './palette.js';

type Triple = readonly [number, number, number];

/** Machado, Oliveira and Fernandes 2009, full severity, on linear RGB. */
const sight: Readonly<Record<string, readonly Triple[]>> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

const linear = (color: string): Triple =>
  [1, 3, 5].map((at) => {
    const value = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as unknown as Triple;

const dot = (a: Triple, b: Triple) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

function lab(color: Triple): Triple {
  const curve = (t: number) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const x = curve(dot(color, [0.4124, 0.3576, 0.1805]) / 0.9505);
  const y = curve(dot(color, [0.2126, 0.7152, 0.0722]));
  const z = curve(dot(color, [0.0193, 0.1192, 0.9505]) / 1.089);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function distance(a: string, b: string, eyes: readonly Triple[]): number {
  const [p, q] = [a, b].map((color) => lab(eyes.map((row) => dot(row, linear(color))) as unknown as Triple));
  return Math.hypot(...(p as Triple).map((value, index) => value - ((q as Triple)[index] as number)));
}

function contrast(a: string, b: string): number {
  const [dark, light] = [a, b].map((color) => dot([0.2126, 0.7152, 0.0722], linear(color))).sort((x, y) => x - y);
  return ((light as number) + 0.05) / ((dark as number) + 0.05);
}

describe.each([
  ['light', paper],
  ['dark', '#161d27'],
] as const)('colors of series on %s ground', (theme, ground) => {
  const colors = seriesColors[theme];
  it('are distinguishable with every color vision deficiency', () => {
    for (const [name, eyes] of Object.entries(sight)) {
      // A just noticeable difference is about 2.3 (Mahy et al. 1994).
      const least = name === 'tritanopia' ? 9 : 12;
      colors.forEach((a, index) => {
        for (const b of colors.slice(index + 1))
          expect(distance(a, b, eyes), `${name} ${a} ${b}`).toBeGreaterThan(least);
      });
    }
  });

  it('are readable as text', () => {
    for (const color of colors) expect(contrast(color, ground)).toBeGreaterThanOrEqual(4.5);
  });
});

it('replaces the colors of a figure with those of the page', () => {
  expect(withPageColors(`<path stroke="${seriesColors.light[5]}" fill="${paper}"/>`)).toBe(
    '<path stroke="var(--series-5)" fill="var(--paper)"/>',
  );
});
