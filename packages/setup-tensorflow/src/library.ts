import { mkdir, rename, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { withLock } from '@localgrad/core/downloads';
import { createFolders, folderError } from '@localgrad/core/folders';
import { isComplete } from './binding.js';
import { fetchWheels, missingBytes, type WheelSource } from './fetch-wheels.js';
import { decimalSize, type Release } from './releases.js';
import { type LibrarySource, unpackSource } from './source.js';
import { unpackCudaWheel, unpackWheel } from './wheel.js';

type Say = (line: string) => void;

/** Temporary disk space for the user's own wheel and its unpacked files; only the library remains. */
const bytesOfSource = 900e6;

/**
 * Unpacks a release into the cache, unless it is there. Wheels stay until all are unpacked, so that an interrupted setup
 * resumes.
 *
 * @returns its folder
 * @throws LocalgradError `missing-dependency`, `invalid-data`, `invalid-option`, `misuse` (another process)
 */
export function provideRelease(release: Release, cache: string, source: WheelSource, say: Say): Promise<string> {
  return provide(release.id, cache, async (library, partial) => {
    const downloads = `${library}.wheels`;
    const missing = await missingBytes(release, downloads, source);
    const unpacked = release.wheels.reduce((sum, { unpackedBytes }) => sum + unpackedBytes, 0);
    say(
      source.fromDir === undefined
        ? `${release.description}: ${decimalSize(missing)} to download, ${decimalSize(unpacked)} on disk, ${decimalSize(missing + unpacked)} while it is unpacked, in ${library}.`
        : `${release.description}: ${decimalSize(unpacked)} on disk, in ${library}.`,
    );
    await requireSpace(release.description, dirname(library), missing + unpacked);
    await createFolders(downloads);
    const wheels = await fetchWheels(release, downloads, source, say);
    say('Unpacking …');
    for (const [index, wheel] of release.wheels.entries()) {
      await (wheel.name.startsWith('nvidia-') ? unpackCudaWheel : unpackWheel)(wheels[index] ?? '', partial);
    }
    return [downloads];
  });
}

/** Unpacks the user's own wheel or archive into the cache, unless it is there. @returns its folder */
export function provideSource(source: LibrarySource, cache: string, say: Say): Promise<string> {
  return provide(source.id, cache, async (library, partial) => {
    await requireSpace("TensorFlow's library", dirname(library), bytesOfSource);
    const work = `${library}.download`;
    await createFolders(work);
    try {
      await unpackSource(source, work, partial, say);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
    return [];
  });
}

/**
 * Fills a folder of the cache. It gets its name last: it is complete or absent.
 *
 * @param fill fills `partial`; returns folders to remove once it has its name
 */
async function provide(
  id: string,
  cache: string,
  fill: (library: string, partial: string) => Promise<readonly string[]>,
): Promise<string> {
  const library = join(cache, 'tensorflow', id);
  if (isComplete(library)) return library;
  await createFolders(dirname(library)).catch((error: unknown) => {
    throw folderError(dirname(library), error);
  });
  await withLock(`${library}.lock`, async () => {
    if (isComplete(library)) return;
    const partial = `${library}.partial`;
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial);
    try {
      const leftovers = await fill(library, partial);
      await rm(library, { recursive: true, force: true });
      await rename(partial, library);
      for (const leftover of leftovers) await rm(leftover, { recursive: true, force: true });
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
  });
  return library;
}

async function requireSpace(what: string, folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes) return;
  throw new LocalgradError(
    'missing-dependency',
    `${what} needs ${decimalSize(bytes)} in '${folder}', where ${decimalSize(bavail * bsize)} are free. Choose another folder with --cache.`,
    { folder, needed: bytes, free: bavail * bsize },
  );
}
