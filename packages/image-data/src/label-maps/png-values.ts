import { inflateSync } from 'node:zlib';
import { LocalgradError } from '@localgrad/core';

/** One value per pixel, e.g. its class. */
export interface LabelMap {
  readonly height: number;
  readonly width: number;
  /** Row by row. */
  readonly values: Uint8Array;
}

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const mostPixels = 2 ** 28;

interface Header {
  readonly height: number;
  readonly width: number;
  /** Bits per value. */
  readonly bits: number;
}

/**
 * Reads the stored values of a gray or palette PNG of up to 8 bits: gray levels as numbers from 0, palette entries as their
 * index. Image decoders convert both to colors, which label maps are not.
 *
 * @param location for messages
 * @throws LocalgradError `invalid-data`
 */
export function readPngValues(content: Uint8Array, location: string): LabelMap {
  const refuse = (found: string): never => {
    throw new LocalgradError(
      'invalid-data',
      `${location}: expected a PNG label map, gray or with a palette, up to 8 bits and not interlaced; found ${found}.`,
      { path: location },
    );
  };
  if (!signature.every((byte, index) => content[index] === byte)) refuse('a file of another format');
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const parts: Uint8Array[] = [];
  let header: Header | undefined;
  for (let at = 8; at + 12 <= content.length; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...content.subarray(at + 4, at + 8));
    if (length > content.length - at - 12) break;
    if (type === 'IHDR') header = headerOf(view, at + 8, length, refuse);
    if (type === 'IDAT') parts.push(content.subarray(at + 8, at + 8 + length));
    if (type === 'IEND') break;
    at += 12 + length;
  }
  if (header === undefined) return refuse('no header');
  const rowBytes = Math.ceil((header.width * header.bits) / 8);
  const size = header.height * (rowBytes + 1);
  const rows = inflated(parts, size);
  if (rows?.length !== size) return refuse('damaged or missing data');
  for (let row = 0; row < header.height; row++) {
    if (!unfilter(rows, row, rowBytes)) refuse('an unknown filter of a row');
  }
  return { height: header.height, width: header.width, values: unpack(rows, rowBytes, header) };
}

function headerOf(view: DataView, at: number, length: number, refuse: (found: string) => never): Header {
  if (length !== 13) refuse('a damaged header');
  const [width, height, bits] = [view.getUint32(at), view.getUint32(at + 4), view.getUint8(at + 8)];
  const [color, interlace] = [view.getUint8(at + 9), view.getUint8(at + 12)];
  if (width < 1 || height < 1 || width * height > mostPixels) refuse(`${height}×${width} pixels`);
  if (color !== 0 && color !== 3) refuse('colors or transparency');
  if (![1, 2, 4, 8].includes(bits)) refuse(`${bits} bits`);
  if (interlace !== 0) refuse('an interlaced image');
  return { width, height, bits };
}

function inflated(parts: readonly Uint8Array[], size: number): Uint8Array | undefined {
  try {
    return inflateSync(Buffer.concat(parts), { maxOutputLength: size });
  } catch {
    return undefined;
  }
}

/** Undoes the filter of a row, whose pixels are one byte apart or less; the row above is unfiltered. */
function unfilter(rows: Uint8Array, row: number, rowBytes: number): boolean {
  const start = row * (rowBytes + 1) + 1;
  const filter = rows[start - 1] ?? 0;
  if (filter > 4) return false;
  if (filter === 0) return true;
  for (let index = 0; index < rowBytes; index++) {
    const at = start + index;
    const left = index > 0 ? (rows[at - 1] ?? 0) : 0;
    const above = row > 0 ? (rows[at - rowBytes - 1] ?? 0) : 0;
    const corner = row > 0 && index > 0 ? (rows[at - rowBytes - 2] ?? 0) : 0;
    rows[at] = (rows[at] ?? 0) + predicted(filter, left, above, corner);
  }
  return true;
}

function predicted(filter: number, left: number, above: number, corner: number): number {
  if (filter === 1) return left;
  if (filter === 2) return above;
  if (filter === 3) return (left + above) >> 1;
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - 2 * corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

function unpack(rows: Uint8Array, rowBytes: number, { height, width, bits }: Header): Uint8Array {
  const values = new Uint8Array(height * width);
  const mask = 2 ** bits - 1;
  for (let row = 0; row < height; row++) {
    const start = row * (rowBytes + 1) + 1;
    if (bits === 8) {
      values.set(rows.subarray(start, start + width), row * width);
      continue;
    }
    for (let column = 0; column < width; column++) {
      const bit = column * bits;
      const byte = rows[start + (bit >> 3)] ?? 0;
      values[row * width + column] = (byte >> (8 - bits - (bit & 7))) & mask;
    }
  }
  return values;
}
