/** What the header of an image declares. */
export interface ImageHeader {
  readonly height: number;
  readonly width: number;
  /** Whether its pixels are cyan, magenta, yellow and black. */
  readonly isInk: boolean;
}

export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8;
}

function isPng(bytes: Uint8Array): boolean {
  return bytes[0] === 0x89 && bytes[1] === 0x50 && bytes[2] === 0x4e && bytes[3] === 0x47;
}

/** Reads the header of a JPEG or PNG file; undefined for other formats and damaged headers. */
export function imageHeader(bytes: Uint8Array): ImageHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length >= 24 && isPng(bytes)) return headerOf(view.getUint32(20), view.getUint32(16));
  if (bytes.length < 4 || !isJpeg(bytes)) return undefined;
  // Segments: marker, length, content; the frame header contains the size.
  for (let at = 2; at + 9 <= bytes.length; at += 2 + view.getUint16(at + 2)) {
    if (bytes[at] !== 0xff) return undefined;
    if (isFrame(bytes[at + 1] ?? 0)) return headerOf(view.getUint16(at + 5), view.getUint16(at + 7), bytes[at + 9]);
  }
  return undefined;
}

function headerOf(height: number, width: number, components = 3): ImageHeader | undefined {
  return height > 0 && width > 0 ? { height, width, isInk: components === 4 } : undefined;
}

/** Whether a marker starts a frame: 0xC0 to 0xCF except the tables (DHT, JPG, DAC). */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

/** Whether a file is a PNG image of gray values with transparency. */
export function isPngGrayWithAlpha(bytes: Uint8Array): boolean {
  return isPng(bytes) && bytes[25] === 4;
}

/**
 * An animated AVIF file declared as a still image if it contains one, which is its first frame: sharp does not recognize
 * animations. Other files are returned as they are.
 */
export function withStillBrand(bytes: Uint8Array): Uint8Array {
  const text = (from: number, to: number) => Buffer.from(bytes.subarray(from, to)).toString('latin1');
  if (text(4, 12) !== 'ftypavis') return bytes;
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0);
  const brands: readonly string[] = text(16, Math.min(length, 256)).match(/.{4}/gs) ?? [];
  if (!brands.includes('avif')) return bytes;
  const still = Uint8Array.from(bytes);
  still.set(Buffer.from('avif'), 8);
  return still;
}
