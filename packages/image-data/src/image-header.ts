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

/** Reads the header of a JPEG or PNG file; undefined for other formats and damaged headers. */
export function imageHeader(bytes: Uint8Array): ImageHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length >= 24 && view.getUint32(0) === 0x89504e47) return headerOf(view.getUint32(20), view.getUint32(16));
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
