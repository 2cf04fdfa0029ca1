import { LocalgradError } from '@localgrad/core';
import { damaged, unreadable } from '../files.js';
import { ByteReader, type FileOrigin } from './byte-reader.js';

const chunkBytes = 2 ** 18;

/**
 * Opens a file for sequential reading; decompresses a gzip file, which is recognized by its first two bytes.
 * The file is closed when `read` returns or throws.
 *
 * @throws LocalgradError `missing-dependency`, `invalid-data`
 */
export async function withFile<T>(origin: FileOrigin, read: (reader: ByteReader) => Promise<T>): Promise<T> {
  const [{ open }, { rejectDevice }] = await Promise.all([
    import('node:fs/promises'),
    import('@localgrad/core/folders'),
  ]);
  const { path, howToGetIt } = origin;
  const opened = rejectDevice(path).then(() => open(path));
  const file = await opened.catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw unreadable(origin, error);
    throw new LocalgradError('missing-dependency', `${path} was not found. ${howToGetIt}`, { path });
  });
  try {
    const start = new Uint8Array(2);
    await file.read(start, 0, 2, 0).catch((error: unknown) => {
      throw unreadable(origin, error);
    });
    const stream = file.createReadStream({ start: 0, autoClose: false, highWaterMark: chunkBytes });
    const isGzip = start[0] === 0x1f && start[1] === 0x8b;
    return await read(new ByteReader(isGzip ? decompress(stream, origin, 'gzip') : stream, origin));
  } finally {
    await file.close();
  }
}

/** The decompressed bytes of a gzip or zlib stream. @throws LocalgradError `invalid-data` that names the offset reached */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  origin: FileOrigin,
  format: 'gzip' | 'zlib',
): AsyncGenerator<Uint8Array> {
  const [{ createGunzip, createInflate }, { Readable }] = await Promise.all([
    import('node:zlib'),
    import('node:stream'),
  ]);
  const input = Readable.from(source);
  const options = { chunkSize: chunkBytes };
  const output = format === 'gzip' ? createGunzip(options) : createInflate(options);
  // `pipe` does not forward errors of the source.
  input.on('error', (error) => output.destroy(error));
  input.pipe(output);
  let offset = 0;
  try {
    for await (const chunk of output) {
      const bytes: Uint8Array = chunk;
      offset += bytes.length;
      yield bytes;
    }
  } catch (error) {
    if (LocalgradError.isInstance(error)) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw damaged(origin, offset, `more data of a whole ${format} stream`, `'${message}': the file is damaged`);
  } finally {
    input.destroy();
    output.destroy();
  }
}
