import { LocalgradError } from '@localgrad/core';

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** By the header's colour type; a palette's entries are RGB. */
const channelsOfColourType: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 3, 4: 2, 6: 4 };

export interface PngHeader {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 2 grey with alpha, 3 RGB, 4 RGB with alpha. */
  readonly channels: number;
}

/** @throws LocalgradError `invalid-data` for bytes that are no PNG file. @param where names the image in messages */
export function readPngHeader(png: Uint8Array, where: string): PngHeader {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const channels = png.length < 33 ? undefined : channelsOfColourType[view.getUint8(25)];
  if (channels === undefined || signature.some((byte, index) => png[index] !== byte)) {
    throw new LocalgradError('invalid-data', `${where} is not a PNG file (${png.length} bytes); allowed: PNG's bytes.`);
  }
  return { width: view.getUint32(16), height: view.getUint32(20), channels };
}
