import type { Region } from './decode.js';
import type { Pixels } from './pixels.js';

/** Bits after the point of weights. */
const PRECISION = 22;

/**
 * Part of an image after bilinear interpolation between the two nearest pixels of each axis, along the rows, then down the
 * columns, in integers. Enlarged images are bit for bit PIL's (sharp shifts them by half a pixel of the result); shrunk ones
 * are not antialiased, as in OpenCV.
 */
export function interpolate(image: Pixels, rows: AxisPart, columns: AxisPart): Pixels {
  return interpolateRows(interpolateColumns(image, columns), rows);
}

/** Part of a resized axis. */
export interface AxisPart {
  /** Length of the original axis. */
  readonly length: number;
  /** Length of the resized axis, and the part of it, end exclusive. */
  readonly size: number;
  readonly start: number;
  readonly end: number;
  /** First pixel of the original axis that the image has. Default 0. */
  readonly origin?: number;
}

/** The pixels of the original image that `interpolate` reads for a part of the resized one. */
export function readRegion(rows: AxisPart, columns: AxisPart): Region {
  const [top, bottom] = rangeOf(rows);
  const [left, right] = rangeOf(columns);
  return { top, left, height: bottom - top, width: right - left };
}

function rangeOf(axis: AxisPart): readonly [start: number, end: number] {
  const neighbors = neighborsOf(axis);
  return [neighbors[0]?.first ?? 0, (neighbors.at(-1)?.second ?? 0) + 1];
}

interface Neighbors {
  readonly first: number;
  readonly second: number;
  readonly firstWeight: number;
  readonly secondWeight: number;
}

/** The two pixels that a pixel of the resized axis lies between. */
function neighborsOf({ length, size, start, end, origin = 0 }: AxisPart): Neighbors[] {
  const scale = length / size;
  return Array.from({ length: end - start }, (_, index) => {
    const center = (start + index + 0.5) * scale;
    const from = Math.max(0, Math.floor(center - 0.5));
    const to = Math.min(length, Math.floor(center + 1.5));
    const weights = [from, from + 1].map((at) => (at < to ? Math.max(0, 1 - Math.abs(at + 0.5 - center)) : 0));
    const [firstWeight = 0, secondWeight = 0] = weights;
    const fixed = (weight: number) => Math.floor(0.5 + (weight / (firstWeight + secondWeight)) * 2 ** PRECISION);
    return {
      first: from - origin,
      second: Math.min(from + 1, length - 1) - origin,
      firstWeight: fixed(firstWeight),
      secondWeight: fixed(secondWeight),
    };
  });
}

function interpolateColumns({ height, width, channels, bytes }: Pixels, axis: AxisPart): Pixels {
  const neighbors = neighborsOf(axis);
  const result = new Uint8Array(height * neighbors.length * channels);
  let at = 0;
  for (let row = 0; row < height; row++) {
    const from = row * width;
    for (const { first, second, firstWeight, secondWeight } of neighbors) {
      const [left, right] = [(from + first) * channels, (from + second) * channels];
      for (let channel = 0; channel < channels; channel++) {
        result[at++] = blend(bytes[left + channel], firstWeight, bytes[right + channel], secondWeight);
      }
    }
  }
  return { height, width: neighbors.length, channels, bytes: result };
}

function interpolateRows({ width, channels, bytes }: Pixels, axis: AxisPart): Pixels {
  const neighbors = neighborsOf(axis);
  const rowBytes = width * channels;
  const result = new Uint8Array(neighbors.length * rowBytes);
  let at = 0;
  for (const { first, second, firstWeight, secondWeight } of neighbors) {
    for (let index = 0; index < rowBytes; index++) {
      const [above, below] = [bytes[first * rowBytes + index], bytes[second * rowBytes + index]];
      result[at++] = blend(above, firstWeight, below, secondWeight);
    }
  }
  return { height: neighbors.length, width, channels, bytes: result };
}

function blend(a = 0, weightOfA: number, b = 0, weightOfB: number): number {
  return Math.min(255, (a * weightOfA + b * weightOfB + (1 << (PRECISION - 1))) >> PRECISION);
}

/** Mirrors left and right. */
export function mirror({ height, width, channels, bytes }: Pixels): Pixels {
  const result = new Uint8Array(bytes.length);
  let at = 0;
  for (let row = 0; row < height; row++) {
    for (let column = width - 1; column >= 0; column--) {
      const from = (row * width + column) * channels;
      for (let channel = 0; channel < channels; channel++) result[at++] = bytes[from + channel] ?? 0;
    }
  }
  return { height, width, channels, bytes: result };
}
