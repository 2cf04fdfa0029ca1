import { LocalgradError, shortened } from '@localgrad/core';
import { type DataFile, damaged, unreadable } from '../files.js';
import type { FileOrigin } from './byte-reader.js';
import { withFile } from './open-stream.js';
import { tarEntries } from './tar.js';

/** Files of archives that are read into memory as a whole. */
const mostMemberBytes = 2 ** 28;

/** A distribution of a data set: an archive, or its unpacked folder. */
export interface Distribution {
  /** Names of the archive, e.g. `cifar-10-python.tar.gz`. */
  readonly archives: readonly string[];
  /** Name of the folder in the archive. */
  readonly inner: string;
  /** Names of the required files, with the maximum size of each in bytes. */
  readonly members: Readonly<Record<string, number>>;
}

/** A distribution on disk: the archive, or the folder with the files. */
export interface Found {
  readonly distribution: Distribution;
  readonly path: string;
  readonly isArchive: boolean;
}

/** Finds the first complete distribution in a folder, or at the path of an archive. */
export async function findDistribution(
  path: string,
  distributions: readonly Distribution[],
): Promise<Found | undefined> {
  const [{ readdir }, { basename, join }] = await Promise.all([import('node:fs/promises'), import('node:path')]);
  const list = async (folder: string) => new Set<string>(await readdir(folder).catch((): string[] => []));
  const names = await list(path);
  for (const distribution of distributions) {
    const { archives, inner, members } = distribution;
    if (archives.includes(basename(path)) && names.size === 0) return { distribution, path, isArchive: true };
    const needed = Object.keys(members);
    for (const folder of [path, join(path, inner)]) {
      const found = folder === path ? names : await list(folder);
      if (needed.every((name) => found.has(name))) return { distribution, path: folder, isArchive: false };
    }
    const archive = archives.find((name) => names.has(name));
    if (archive !== undefined) return { distribution, path: join(path, archive), isArchive: true };
  }
  return undefined;
}

/**
 * Reads the files of a distribution one at a time, in the order of the archive, and passes each to `visit`.
 *
 * @throws LocalgradError `invalid-data`: a file is missing, occurs twice or exceeds its maximum size
 */
export async function visitMembers(
  { distribution, path, isArchive }: Found,
  howToGetIt: string,
  visit: (name: string, file: DataFile) => void,
): Promise<void> {
  const { members } = distribution;
  const missing = new Set(Object.keys(members));
  const accept = (name: string, size: number, at: number) => {
    const most = members[name] ?? 0;
    if (!missing.delete(name)) throw damaged({ path, howToGetIt }, at, `one file '${name}'`, 'a second one');
    if (size > most) throw damaged({ path, howToGetIt }, at, `at most ${most} bytes of '${name}'`, `${size}`);
  };
  if (isArchive) {
    await withFile({ path, howToGetIt }, async (reader) => {
      for await (const entry of tarEntries(reader)) {
        const name = entry.name.replace(/^(\.\/)?([^/]+\/)?/, '');
        if (!Object.hasOwn(members, name)) continue;
        accept(name, entry.size, entry.offset);
        visit(name, { path: `${path}: ${shortened(entry.name)}`, bytes: await entry.read(), howToGetIt });
      }
    });
  } else {
    const [{ stat }, { readWholeFile }, { join }] = await Promise.all([
      import('node:fs/promises'),
      import('@localgrad/core/folders'),
      import('node:path'),
    ]);
    for (const name of Object.keys(members)) {
      const file = join(path, name);
      const origin = { path: file, howToGetIt };
      const fail = (error: unknown): never => {
        throw unreadable(origin, error);
      };
      accept(name, (await stat(file).catch(fail)).size, 0);
      visit(name, { ...origin, bytes: await readWholeFile(file).catch(fail) });
    }
  }
  const [first] = missing;
  if (first !== undefined) {
    throw new LocalgradError('invalid-data', `${path} does not contain '${first}'. ${howToGetIt}`, { path });
  }
}

/** The files of an archive with these base names, in the order of the names. @throws LocalgradError `invalid-data` */
export async function readArchiveMembers(
  origin: FileOrigin,
  names: readonly string[],
): Promise<readonly (DataFile | undefined)[]> {
  const found = new Map<string, DataFile>();
  await withFile(origin, async (reader) => {
    for await (const entry of tarEntries(reader)) {
      const name = entry.name.split('/').at(-1) ?? '';
      if (!names.includes(name) || found.has(name)) continue;
      if (entry.size > mostMemberBytes) {
        throw damaged(origin, entry.offset, `at most ${mostMemberBytes} bytes of '${name}'`, `${entry.size}`);
      }
      found.set(name, { ...origin, path: `${origin.path}: ${shortened(entry.name)}`, bytes: await entry.read() });
    }
  });
  return names.map((name) => found.get(name));
}
