import { LocalgradError } from '@localgrad/core';

/** A file's content, unzipped. */
export interface DataFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** A sentence for error messages: where a whole copy comes from. */
  readonly howToGetIt: string;
}

/** Reads a file, or the gzipped one beside it. @throws LocalgradError `missing-dependency`, `invalid-data` */
export async function readDataFile(folder: string, name: string, howToGetIt: string): Promise<DataFile> {
  const [{ readFile }, { join }, { gunzip }, { promisify }] = await Promise.all([
    import('node:fs/promises'),
    import('node:path'),
    import('node:zlib'),
    import('node:util'),
  ]);
  const plain = join(folder, name);
  for (const path of [plain, `${plain}.gz`]) {
    let bytes: Uint8Array;
    try {
      bytes = await readFile(path);
    } catch (error) {
      if ((error as { code?: string }).code === 'ENOENT' || (error as { code?: string }).code === 'ENOTDIR') continue;
      throw new LocalgradError(
        'invalid-data',
        `${path} cannot be read: ${(error as Error).message}.`,
        { path },
        { cause: error },
      );
    }
    if (!path.endsWith('.gz')) return { path, bytes, howToGetIt };
    try {
      return { path, bytes: await promisify(gunzip)(bytes), howToGetIt };
    } catch (error) {
      throw new LocalgradError(
        'invalid-data',
        `${path} is not a whole gzip file: ${(error as Error).message}. ${howToGetIt}`,
        { path },
        { cause: error },
      );
    }
  }
  throw new LocalgradError('missing-dependency', `${plain} is not there, and neither is ${name}.gz. ${howToGetIt}`, {
    path: plain,
  });
}

/** An `invalid-data` error that names file, byte offset (in the unzipped content), expectation, finding and source. */
export function damaged(
  { path, howToGetIt }: Pick<DataFile, 'path' | 'howToGetIt'>,
  offset: number,
  expected: string,
  found: string,
): LocalgradError {
  const message = `${path}, byte ${offset}: expected ${expected}, found ${found}. ${howToGetIt}`;
  return new LocalgradError('invalid-data', message, { path, offset, expected, found });
}
