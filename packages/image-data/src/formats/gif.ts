import { LocalgradError } from '@localgrad/core';
import type { Pixels } from '../pixels.js';
import { decompressIndices } from './lzw.js';

export function isGif(bytes: Uint8Array): boolean {
  return /^GIF8[79]a$/.test(Buffer.from(bytes.subarray(0, 6)).toString('latin1'));
}

const extension = 0x21;
const graphicControl = 0xf9;
const separator = 0x2c;

/**
 * Decodes the first frame of a GIF file. Other decoders make transparent pixels black; PIL, like this one, takes their colors
 * from the palette. Where the frame does not cover the image, it has the transparent color, or the first of the palette.
 *
 * @param mostPixels maximum number of pixels
 * @throws LocalgradError `invalid-data`
 */
export function decodeGif(content: Uint8Array, location: string, mostPixels: number): Pixels {
  const reject = (problem: string): never => {
    const message = `${location}: expected a GIF image, found ${problem}.`;
    throw new LocalgradError('invalid-data', message, { path: location });
  };
  const damaged = () => reject(`${content.length} bytes that cannot be decoded: the file is damaged or truncated`);
  const byte = (at: number): number => content[at] ?? damaged();
  const short = (at: number): number => byte(at) + 256 * byte(at + 1);
  const paletteAt = (at: number, flags: number): Uint8Array =>
    (flags & 0x80) === 0 ? content.subarray(at, at) : content.subarray(at, at + 3 * 2 ** ((flags & 7) + 1));
  /** Blocks start with their length; an empty one is the last. */
  const blocksAt = (start: number): { readonly blocks: Uint8Array[]; readonly end: number } => {
    const blocks: Uint8Array[] = [];
    let at = start;
    for (; byte(at) !== 0; at += byte(at) + 1) blocks.push(content.subarray(at + 1, at + 1 + byte(at)));
    return { blocks, end: at + 1 };
  };

  const globalPalette = paletteAt(13, byte(10));
  let at = 13 + globalPalette.length;
  let transparent = 0;
  while (byte(at) !== separator) {
    if (byte(at) !== extension) return damaged();
    const isTransparent = byte(at + 1) === graphicControl && (byte(at + 3) & 1) === 1;
    if (isTransparent) transparent = byte(at + 6);
    at = blocksAt(at + 2).end;
  }
  const frame = { left: short(at + 1), top: short(at + 3), width: short(at + 5), height: short(at + 7) };
  const flags = byte(at + 9);
  const localPalette = paletteAt(at + 10, flags);
  const start = at + 10 + localPalette.length;
  const height = Math.max(short(8), frame.top + frame.height);
  const width = Math.max(short(6), frame.left + frame.width);
  if (height * width > mostPixels) reject(`${height}×${width} pixels, more than ${mostPixels.toLocaleString('en-US')}`);
  const bits = byte(start);
  if (bits < 1 || bits > 8) return damaged();
  const data = Buffer.concat(blocksAt(start + 1).blocks);
  const indices = decompressIndices(data, bits, frame.height * frame.width) ?? damaged();

  const palette = (flags & 0x80) === 0 ? globalPalette : localPalette;
  const colorOf = colorsOf(palette);
  const bytes = Buffer.alloc(3 * height * width, colorOf.subarray(3 * transparent, 3 * transparent + 3));
  const isInterlaced = (flags & 0x40) !== 0;
  const rows = isInterlaced ? interlacedRows(frame.height) : Array.from({ length: frame.height }, (_, row) => row);
  for (const [stored, row] of rows.entries()) {
    let to = 3 * ((frame.top + row) * width + frame.left);
    for (let column = 0; column < frame.width; column++) {
      const from = 3 * (indices[stored * frame.width + column] ?? 0);
      for (let channel = 0; channel < 3; channel++) bytes[to++] = colorOf[from + channel] ?? 0;
    }
  }
  return { height, width, channels: 3, bytes };
}

/** A palette of 256 colors, as in PIL: those that a palette lacks are black; without one, colors are gray. */
function colorsOf(palette: Uint8Array): Uint8Array {
  const colors = Uint8Array.from({ length: 3 * 256 }, (_, index) => (palette.length === 0 ? Math.floor(index / 3) : 0));
  colors.set(palette);
  return colors;
}

/** The rows of an interlaced frame, as stored: every eighth, those in between, every second. */
function interlacedRows(height: number): number[] {
  const passes = [
    [0, 8],
    [4, 8],
    [2, 4],
    [1, 2],
  ] as const;
  return passes.flatMap(([first, step]) => {
    const count = Math.max(0, Math.ceil((height - first) / step));
    return Array.from({ length: count }, (_, index) => first + step * index);
  });
}
