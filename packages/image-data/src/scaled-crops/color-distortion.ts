import { rejectUnknownKeys, requireOption } from '@localgrad/core';
import type { Random } from '@localgrad/nn/random';
import { mapHsv } from './hsv.js';

/** Random changes of colors, each with probability ½: PhotoMetricDistortion of MMSegmentation. */
export interface ColorDistortionOptions {
  /** Largest number that is added to all bytes, or subtracted from them. Default 32. */
  readonly brightness?: number;
  /** Bounds of the factor on all bytes. Default [0.5, 1.5]. */
  readonly contrast?: readonly [number, number];
  /** Bounds of the factor on the saturation. Default [0.5, 1.5]. */
  readonly saturation?: readonly [number, number];
  /** Largest rotation of the hue, of 180 for a full turn; integers from −hue to hue − 1. Default 18. */
  readonly hue?: number;
}

/** The changes of one image; undefined: none. */
export interface ColorDistortion {
  readonly brightness: number | undefined;
  /** Whether contrast changes before saturation and hue, or after them. */
  readonly isContrastFirst: boolean;
  readonly contrast: number | undefined;
  readonly saturation: number | undefined;
  readonly hue: number | undefined;
}

/** @throws LocalgradError `invalid-option` */
export function checkColorDistortion(where: string, options: ColorDistortionOptions): void {
  const place = `${where}, distortion`;
  rejectUnknownKeys(place, options, ['brightness', 'contrast', 'saturation', 'hue']);
  const { brightness = 32, contrast = [1, 1], saturation = [1, 1], hue = 18 } = options;
  const isUpTo = (value: unknown, most: number) => Number(value) >= 0 && Number(value) <= most;
  requireOption(isUpTo(brightness, 255), place, 'brightness', brightness, 'numbers from 0 to 255');
  for (const [option, range] of Object.entries({ contrast, saturation })) {
    const isRange = Array.isArray(range) && range.length === 2 && range[0] >= 0 && range[0] <= range[1];
    requireOption(isRange && range[1] <= 255, place, option, range, 'two numbers, 0 ≤ lower ≤ upper ≤ 255');
  }
  requireOption(Number.isInteger(hue) && isUpTo(hue, 90), place, 'hue', hue, 'integers from 0 to 90');
}

/** Consumes the same random numbers for all options. */
export function sampleDistortion(
  { brightness = 32, contrast = [0.5, 1.5], saturation = [0.5, 1.5], hue = 18 }: ColorDistortionOptions,
  random: Random,
): ColorDistortion {
  const sometimes = (low: number, high: number): number | undefined => {
    const isChanged = random.uniform() < 0.5;
    const value = low + (high - low) * random.uniform();
    return isChanged ? value : undefined;
  };
  const chosen = {
    brightness: sometimes(-brightness, brightness),
    isContrastFirst: random.uniform() < 0.5,
    contrast: sometimes(...contrast),
    saturation: sometimes(...saturation),
  };
  const turn = sometimes(-hue, hue);
  return { ...chosen, hue: turn === undefined ? undefined : Math.floor(turn) };
}

/** Changes an image, red, green and blue of each pixel, in place. */
export function distortColors(bytes: Uint8Array, distortion: ColorDistortion): void {
  const { brightness, isContrastFirst, contrast, saturation, hue } = distortion;
  const scaled = contrast === undefined ? undefined : byteTable(contrast, 0);
  if (brightness !== undefined) mapBytes(bytes, byteTable(1, brightness));
  if (isContrastFirst && scaled !== undefined) mapBytes(bytes, scaled);
  if (saturation !== undefined) mapHsv(bytes, turned(0), byteTable(saturation, 0));
  if (hue !== undefined) mapHsv(bytes, turned(hue), byteTable(1, 0));
  if (!isContrastFirst && scaled !== undefined) mapBytes(bytes, scaled);
}

function mapBytes(bytes: Uint8Array, table: Uint8Array): void {
  for (let at = 0; at < bytes.length; at++) bytes[at] = table[bytes[at] as number] as number;
}

/** factor · byte + addend, in single precision, clipped and truncated. */
function byteTable(factor: number, addend: number): Uint8Array {
  const { fround } = Math;
  return Uint8Array.from({ length: 256 }, (_, byte) => {
    const value = fround(fround(byte * fround(factor)) + fround(addend));
    return Math.min(255, Math.max(0, value));
  });
}

function turned(by: number): Uint8Array {
  return Uint8Array.from({ length: 180 }, (_, hue) => (hue + by + 180) % 180);
}
