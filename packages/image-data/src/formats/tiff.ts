import { LocalgradError } from '@localgrad/core';

/** Tags of a TIFF file that determine how its pixels become colors. */
const tags = {
  bits: 258,
  compression: 259,
  colorSpace: 262,
  samples: 277,
  subsampling: 530,
  weights: 529,
  references: 532,
  kind: 339,
} as const;
type Tag = keyof typeof tags;

const compressions: Readonly<Record<number, string>> = {
  1: 'none',
  2: 'CCITT',
  3: 'CCITT',
  4: 'CCITT',
  5: 'LZW',
  7: 'JPEG',
  8: 'Deflate',
  32773: 'PackBits',
  32946: 'Deflate',
  50001: 'WebP',
};
const colorSpaces: Readonly<Record<number, string>> = {
  0: 'gray',
  1: 'gray',
  2: 'RGB',
  3: 'palette',
  5: 'CMYK',
  6: 'YCbCr',
};
/** Names of what is rejected, for messages. */
const foreignCompressions: Readonly<Record<number, string>> = {
  6: 'old-style JPEG',
  34712: 'JPEG 2000',
  34925: 'LZMA',
  50000: 'Zstandard',
};
const foreignColorSpaces: Readonly<Record<number, string>> = { 8: 'CIELab', 9: 'ICCLab', 10: 'ITULab', 32844: 'LogL' };

export function isTiff(bytes: Uint8Array): boolean {
  return ['II\x2a\0', 'MM\0\x2a', 'II\x2b\0', 'MM\0\x2b'].includes(
    Buffer.from(bytes.subarray(0, 4)).toString('latin1'),
  );
}

/**
 * Checks that the decoder converts the colors of the first image of a TIFF file; it would return wrong ones for others.
 *
 * @returns whether its pixels are luma and chroma that the decoder leaves as they are
 * @throws LocalgradError `invalid-data`
 */
export function checkTiff(content: Uint8Array, location: string): boolean {
  const found = readTags(content);
  const reject = (allowed: string, problem: string): never => {
    throw new LocalgradError(
      'invalid-data',
      `${location}: expected a TIFF image with ${allowed}; found ${problem}. Convert it, for instance to PNG.`,
      { path: location },
    );
  };
  if (found === undefined) return reject('a directory of tags', 'none that can be read');
  const bits = found.bits ?? [1];
  const isKnownDepth = bits.every((count) => count === bits[0] && [1, 2, 4, 8, 16].includes(count));
  if (!isKnownDepth) reject('1, 2, 4, 8 or 16 bits per value', `${[...new Set(bits)].join(', ')} bits`);
  const isUnsigned = (found.kind ?? []).every((kind) => kind === 1 || kind === 4);
  if (!isUnsigned) reject('unsigned integers', 'signed or floating-point values');
  const compression = found.compression?.[0] ?? 1;
  if (compressions[compression] === undefined) {
    const name = foreignCompressions[compression] ?? compression;
    reject(`compression ${listOf(compressions)}`, `compression ${name}`);
  }
  const space = found.colorSpace?.[0] ?? -1;
  if (colorSpaces[space] === undefined) {
    const name = foreignColorSpaces[space] ?? (space === -1 ? 'none' : `number ${space}`);
    reject(`color space ${listOf(colorSpaces)}`, `color space ${name}`);
  }
  if (colorSpaces[space] === 'palette' && bits[0] === 16) reject('at most 8 bits per index of a palette', '16 bits');
  if (colorSpaces[space] !== 'YCbCr' || compressions[compression] === 'JPEG') return false;
  const isWhole = (found.subsampling ?? [2, 2]).every((step) => step === 1);
  if (!isWhole || bits[0] !== 8 || (found.samples?.[0] ?? 1) !== 3) {
    reject('YCbCr colors of 3 × 8 bits, not subsampled unless compressed with JPEG', 'others');
  }
  if (!isNear(found.weights, [0.299, 0.587, 0.114]) || !isNear(found.references, [0, 255, 128, 255, 128, 255])) {
    reject('YCbCr colors as in JPEG files (ITU-R 601, values 0 to 255)', 'other weights or reference values');
  }
  return true;
}

function listOf(names: Readonly<Record<number, string>>): string {
  const distinct = [...new Set(Object.values(names))];
  return `${distinct.slice(0, -1).join(', ')} or ${distinct.at(-1)}`;
}

function isNear(values: readonly number[] | undefined, expected: readonly number[]): boolean {
  return expected.every((value, index) => Math.abs((values?.[index] ?? value) - value) < 0.001);
}

/** Bytes of a value by its type in the file; others are not read. */
const sizes: Readonly<Record<number, number>> = { 1: 1, 3: 2, 4: 4, 5: 8, 16: 8 };

/** Reads the first directory of a TIFF or BigTIFF file; undefined if it is damaged. */
function readTags(content: Uint8Array): Partial<Record<Tag, number[]>> | undefined {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const little = content[0] === 0x49;
  const isBig = view.getUint16(2, little) === 43;
  const offset = (at: number) => (isBig ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little));
  const numberAt = (at: number, type: number): number => {
    if (type === 1) return view.getUint8(at);
    if (type === 3) return view.getUint16(at, little);
    if (type === 4) return view.getUint32(at, little);
    if (type === 5) return view.getUint32(at, little) / view.getUint32(at + 4, little);
    return Number(view.getBigUint64(at, little));
  };
  const [entrySize, inline] = isBig ? [20, 8] : [12, 4];
  const found: Partial<Record<Tag, number[]>> = {};
  try {
    const start = offset(isBig ? 8 : 4);
    const entries = isBig ? offset(start) : view.getUint16(start, little);
    const first = start + (isBig ? 8 : 2);
    for (let entry = 0; entry < entries; entry++) {
      const at = first + entry * entrySize;
      const number = view.getUint16(at, little);
      const name = (Object.keys(tags) as Tag[]).find((tag) => tags[tag] === number);
      const type = view.getUint16(at + 2, little);
      const size = sizes[type];
      if (name === undefined || size === undefined) continue;
      const count = Math.min(offset(at + 4), 16);
      const values = at + entrySize - inline;
      const from = offset(at + 4) * size > inline ? offset(values) : values;
      found[name] = Array.from({ length: count }, (_, index) => numberAt(from + index * size, type));
    }
    return found;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
