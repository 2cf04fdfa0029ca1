import { LocalgradError, readProblem, shown } from '@localgrad/core';

/** A file's decompressed content. */
export interface DataFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Sentence for error messages: where to get an intact copy. */
  readonly howToGetIt: string;
}

/**
 * Reads a file or its gzipped version, which may decompress to a hundred times its size. @throws LocalgradError
 * `missing-dependency`, `invalid-data`
 */
export async function readDataFile(folder: string, name: string, howToGetIt: string): Promise<DataFile> {
  const [{ readdir }, { readWholeFile }, { join }, { gunzip }, { promisify }] = await Promise.all([
    import('node:fs/promises'),
    import('@localgrad/core/folders'),
    import('node:path'),
    import('node:zlib'),
    import('node:util'),
  ]);
  const plain = join(folder, name);
  for (const path of [plain, `${plain}.gz`]) {
    let bytes: Uint8Array;
    try {
      bytes = await readWholeFile(path);
    } catch (error) {
      if ((error as { code?: string }).code === 'ENOENT' || (error as { code?: string }).code === 'ENOTDIR') continue;
      throw unreadable({ path, howToGetIt }, error);
    }
    if (!path.endsWith('.gz')) return { path, bytes, howToGetIt };
    const maxOutputLength = 100 * bytes.length + 2 ** 20;
    try {
      return { path, bytes: await promisify(gunzip)(bytes, { maxOutputLength }), howToGetIt };
    } catch (error) {
      if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') {
        const most = maxOutputLength.toLocaleString('en-US');
        throw new LocalgradError(
          'invalid-data',
          `${path} decompresses to more than ${most} bytes, far more than images do: the file is corrupt. ${howToGetIt}`,
          { path, maxOutputLength },
        );
      }
      throw new LocalgradError(
        'invalid-data',
        `${path} is not an intact gzip file: ${(error as Error).message}. ${howToGetIt}`,
        { path },
        { cause: error },
      );
    }
  }
  const found = await readdir(folder).catch((error: NodeJS.ErrnoException) => error);
  const message =
    found instanceof Error
      ? `Folder ${shown(folder)} ${found.code === 'ENOTDIR' ? 'is a file' : 'does not exist'}.`
      : `Neither ${plain} nor ${name}.gz was found${found.length === 0 ? ': the folder is empty' : ''}.`;
  const below = found instanceof Error ? [] : await subfoldersWith(name, folder, found);
  const hint = below[0] === undefined ? '' : ` Folder ${shown(below[0])} contains it: use that folder.`;
  throw new LocalgradError('missing-dependency', `${message}${hint} ${howToGetIt}`, { path: plain });
}

/** Subfolders, up to two levels deep, that contain the file or its gzipped version, e.g. `FashionMNIST/raw`. */
async function subfoldersWith(name: string, folder: string, children: readonly string[]): Promise<string[]> {
  const [{ readdir }, { join }] = await Promise.all([import('node:fs/promises'), import('node:path')]);
  const level = async (path: string) => (await readdir(path).catch(() => [])).slice(0, 100);
  const below: string[] = [];
  for (const child of children.slice(0, 100)) {
    const path = join(folder, child);
    const paths = [path, ...(await level(path)).map((grandchild) => join(path, grandchild))];
    for (const candidate of paths) {
      const names = await level(candidate);
      if (names.includes(name) || names.includes(`${name}.gz`)) below.push(candidate);
    }
  }
  return below;
}

/**
 * Creates an `invalid-data` error with file, byte offset (in the decompressed content), expected and found content, and
 * source.
 */
export function damaged(
  { path, howToGetIt }: Pick<DataFile, 'path' | 'howToGetIt'>,
  offset: number,
  expected: string,
  found: string,
): LocalgradError {
  const message = `${path}, byte ${offset}: expected ${expected}, found ${found}. ${howToGetIt}`;
  return new LocalgradError('invalid-data', message, { path, offset, expected, found });
}

/** An error for a file that exists but cannot be read. */
export function unreadable(
  { path, howToGetIt }: Pick<DataFile, 'path' | 'howToGetIt'>,
  error: unknown,
): LocalgradError {
  const message = `${path} cannot be read: ${readProblem(error)}. ${howToGetIt}`;
  return new LocalgradError('invalid-data', message, { path }, { cause: error });
}
