import { LocalgradError } from '@localgrad/core';

/** Reads a file, or the gzipped one beside it. @throws LocalgradError `missing-dependency`, `invalid-data` */
export async function readDataFile(
  folder: string,
  name: string,
  howToGetIt: string,
): Promise<{ path: string; bytes: Uint8Array }> {
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
    if (!path.endsWith('.gz')) return { path, bytes };
    try {
      return { path, bytes: await promisify(gunzip)(bytes) };
    } catch (error) {
      throw new LocalgradError(
        'invalid-data',
        `${path} is not a whole gzip file: ${(error as Error).message}.`,
        { path },
        { cause: error },
      );
    }
  }
  throw new LocalgradError('missing-dependency', `${plain} is not there, and neither is ${name}.gz. ${howToGetIt}`, {
    path: plain,
  });
}

/** An `invalid-data` error that names file, byte offset, expectation and finding. */
export function damaged(path: string, offset: number, expected: string, found: string): LocalgradError {
  return new LocalgradError('invalid-data', `${path}, byte ${offset}: expected ${expected}, found ${found}.`, {
    path,
    offset,
    expected,
    found,
  });
}
