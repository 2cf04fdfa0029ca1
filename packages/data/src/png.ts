import { crc32, LocalgradError } from '@localgrad/core';

/** An image of bytes, channels last. */
export interface ByteImage {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  readonly bytes: Uint8Array;
}

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Encodes a PNG file: 8 bits per channel, gray or color, without filters. @throws LocalgradError `invalid-data` */
export function encodePng(image: ByteImage): Promise<Uint8Array> {
  return encodePngWith(image, deflateStream);
}

/** @param deflate compresses to a zlib stream */
export async function encodePngWith(
  { height, width, channels, bytes }: ByteImage,
  deflate: (bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const line = width * channels;
  if ((channels !== 1 && channels !== 3) || bytes.length !== height * line) {
    throw new LocalgradError(
      'invalid-data',
      `encodePng: expected ${height}×${width} pixels of 1 or 3 channels, found ${bytes.length} bytes of ${channels} channels.`,
      { height, width, channels },
    );
  }
  const rows = new Uint8Array(height * (line + 1));
  for (let row = 0; row < height; row++) rows.set(bytes.subarray(row * line, (row + 1) * line), row * (line + 1) + 1);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, channels === 3 ? 2 : 0], 8);
  const chunks = [chunk('IHDR', header), chunk('IDAT', await deflate(rows)), chunk('IEND', new Uint8Array(0))];
  const file = new Uint8Array(signature.length + chunks.reduce((sum, { length }) => sum + length, 0));
  file.set(signature);
  let offset = signature.length;
  for (const part of chunks) {
    file.set(part, offset);
    offset += part.length;
  }
  return file;
}

/** In any runtime. */
async function deflateStream(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Length, type, content, CRC-32 of type and content. */
function chunk(type: string, content: Uint8Array): Uint8Array {
  const result = new Uint8Array(12 + content.length);
  const view = new DataView(result.buffer);
  view.setUint32(0, content.length);
  result.set(
    Array.from(type, (letter) => letter.charCodeAt(0)),
    4,
  );
  result.set(content, 8);
  view.setUint32(8 + content.length, crc32(result.subarray(4, 8 + content.length)));
  return result;
}
