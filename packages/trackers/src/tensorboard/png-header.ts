import { LocalgradError } from '@localgrad/core';

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** By the color type of the header; palette entries are RGB. */
const channelsOfColorType: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 3, 4: 2, 6: 4 };

export interface PngHeader {
  readonly width: number;
  readonly height: number;
  /** 1 gray, 2 gray with alpha, 3 RGB, 4 RGB with alpha. */
  readonly channels: number;
}

/** @throws LocalgradError `invalid-data` unless the content is a PNG file. @param where name of the image for messages */
export function readPngHeader(png: Uint8Array, where: string): PngHeader {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const channels = png.length < 33 ? undefined : channelsOfColorType[view.getUint8(25)];
  if (channels === undefined || signature.some((byte, index) => png[index] !== byte)) {
    throw new LocalgradError(
      'invalid-data',
      `${where} is not a PNG file (${png.length} bytes); allowed: the content of a PNG file.`,
    );
  }
  return { width: view.getUint32(16), height: view.getUint32(20), channels };
}
