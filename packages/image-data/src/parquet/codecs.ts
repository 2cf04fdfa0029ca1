import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import type { Compressors } from 'hyparquet';
import { compressors as standard } from 'hyparquet-compressors';
import { invalid } from './invalid.js';

/** Decompressors of pages by codec. They stop at the length that a page declares, whatever its content would expand to. */
export const compressors: Compressors = {
  ...standard,
  GZIP: (input, length) => gunzipSync(input, { maxOutputLength: Math.max(1, length) }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, length) }),
  ZSTD: (input, length) => {
    checkZstandard(input, length);
    const decompress = standard.ZSTD;
    if (decompress === undefined) throw invalid('a Zstandard page, which cannot be read here');
    return decompress(input, length);
  },
};

/** Decompresses a page. @throws LocalgradError `invalid-data`, or the error of the decompressor */
export function decompressed(page: Uint8Array, length: number, codec: string): Uint8Array {
  if (codec === 'UNCOMPRESSED') return page;
  const decompress = Object.entries(compressors).find(([name]) => name === codec)?.[1];
  if (decompress === undefined) throw invalid(`pages of the unknown codec ${codec}`);
  return decompress(page, length);
}

const magic = 0xfd2fb528;
const largestBlock = 2 ** 17;
/** Encoders split blocks: a bound on their content is many times its size. */
const [freeBytes, largestFactor] = [2 ** 24, 64];

/** The decompressor has no limit: checks what the headers of the blocks allow. */
function checkZstandard(input: Uint8Array, length: number): void {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const tooShort = () => invalid('a Zstandard page that ends within a header');
  let bound = 0;
  for (let at = 0; at < input.length; ) {
    if (at + 8 > input.length) throw tooShort();
    if ((view.getUint32(at, true) & 0xfffffff0) >>> 0 === 0x184d2a50) {
      at += 8 + view.getUint32(at + 4, true);
      continue;
    }
    if (view.getUint32(at, true) !== magic) throw invalid('a page that is not Zstandard');
    const flags = view.getUint8(at + 4);
    const isSingle = (flags & 32) !== 0;
    const contentBytes = flags >> 6 === 0 ? Number(isSingle) : 2 ** (flags >> 6);
    const windowLog = isSingle ? 0 : 10 + (view.getUint8(at + 5) >> 3);
    if (windowLog > 27) throw invalid(`a Zstandard page with a window of 2^${windowLog} bytes`);
    at += 5 + Number(!isSingle) + ([0, 1, 2, 4][flags & 3] ?? 0) + contentBytes;
    for (let isLast = false; !isLast; ) {
      if (at + 3 > input.length) throw tooShort();
      const header = view.getUint16(at, true) + 2 ** 16 * view.getUint8(at + 2);
      const size = header >> 3;
      const type = (header >> 1) & 3;
      isLast = (header & 1) === 1;
      bound += type === 2 ? largestBlock : size;
      if (bound > freeBytes + largestFactor * length)
        throw invalid(`a Zstandard page that expands to more than ${length} bytes`);
      at += 3 + (type === 1 ? 1 : size);
    }
    if ((flags & 4) !== 0) at += 4;
  }
}
