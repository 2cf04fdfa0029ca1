import { copyFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalgradError, rejectUnknownKeys } from '@localgrad/core';
import {
  type Digest,
  type DownloadOptions,
  differentDigests,
  digestOfFile,
  downloadFile,
  downloadOptionNames,
  withLock,
} from '@localgrad/core/downloads';
import { cacheFolder, createFolders, folderError, removeFolders } from '@localgrad/core/folders';
import { datasetSource, hasPublishedContent, type SourceFile } from './sources.js';

export interface FetchOptions extends DownloadOptions {
  /** Folder of the files. Default: `datasetFolder(name)`. */
  readonly folder?: string;
  /** Copy the files from this folder instead of downloading them. */
  readonly fromDir?: string;
  /** Only check existing files. Default false. */
  readonly offline?: boolean;
  /** Include optional files (`extra` of SVHN). Default false. */
  readonly optional?: boolean;
}

const optionNames = [
  ...downloadOptionNames,
  'folder',
  'fromDir',
  'offline',
  'optional',
] as const satisfies readonly (keyof FetchOptions)[];

export interface FetchedFile {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly md5: string;
  readonly state: 'present' | 'downloaded' | 'copied';
}

export interface FetchReport {
  readonly dataset: string;
  readonly folder: string;
  /** Empty for a data set that is part of this package. */
  readonly files: readonly FetchedFile[];
}

/** The folder of a data set's files, in `cacheFolder()`. */
export function datasetFolder(name: string): string {
  return join(cacheFolder(), 'datasets', name);
}

/**
 * Makes the files of a data set available in a folder, each with the published hash: existing files are kept, missing ones are
 * downloaded (or copied). One process at a time; an interrupted call resumes.
 *
 * @throws LocalgradError `unknown-name`, `missing-dependency` (offline), `invalid-data`, `invalid-option` (the folder
 * cannot be created), `misuse` (another process)
 */
export async function fetchDataset(name: string, options: FetchOptions = {}): Promise<FetchReport> {
  rejectUnknownKeys('fetchDataset', options, optionNames);
  const source = datasetSource(name);
  const { folder = datasetFolder(name), offline = false } = options;
  if (source.files.length === 0) return { dataset: name, folder, files: [] };
  const wanted = source.files.filter((file) => file.optional !== true || options.optional === true);
  const work = async (): Promise<FetchedFile[]> => {
    const files: FetchedFile[] = [];
    for (const file of wanted) files.push(await provide(name, file, join(folder, file.name), options));
    return files;
  };
  const files = offline ? await work() : await inFolder(folder, work);
  return { dataset: name, folder, files };
}

/** Runs `work` in a folder that this process alone writes to. A folder without files is removed after a failure. */
async function inFolder<Result>(folder: string, work: () => Promise<Result>): Promise<Result> {
  const created = await createFolders(folder).catch((error: unknown) => {
    throw folderError(folder, error);
  });
  try {
    return await withLock(join(folder, '.localgrad-fetch.lock'), work);
  } catch (error) {
    await removeFolders(folder, created);
    throw error;
  }
}

async function provide(dataset: string, file: SourceFile, path: string, options: FetchOptions): Promise<FetchedFile> {
  const { name, md5 } = file;
  const existing = await sizeIfFile(path);
  if (existing !== undefined) {
    const found = await digestOfFile(path, 'md5');
    if (hasPublishedContent(file, found)) return { name, path, bytes: existing, md5: found, state: 'present' };
    throw new LocalgradError(
      'invalid-data',
      `${path} is not the published file: ${differentDigests(digestOf(file), found)} (${existing} bytes). Delete or rename it, then run localgrad data fetch ${dataset} again.`,
      { path, expected: md5, found },
    );
  }
  if (options.fromDir !== undefined) return copy(file, join(options.fromDir, name), path);
  if (options.offline === true) {
    throw new LocalgradError(
      'missing-dependency',
      `${path} was not found, and --offline prevents its download. Get ${name} (MD5 ${md5}) from ${file.urls[0]}, then run localgrad data fetch ${dataset} --from-dir <its folder>.`,
      { path, urls: file.urls },
    );
  }
  const { folder: _, fromDir, offline, optional, ...download } = options;
  await downloadFile({ name, urls: file.urls, digest: digestOf(file) }, path, download);
  return { name, path, bytes: (await sizeIfFile(path)) ?? 0, md5, state: 'downloaded' };
}

/** Copies through a temporary file: an interrupted copy leaves nothing under the final name. */
async function copy(file: SourceFile, from: string, path: string): Promise<FetchedFile> {
  const { name, md5 } = file;
  const bytes = await sizeIfFile(from);
  if (bytes === undefined) throw new LocalgradError('missing-dependency', `${from} was not found.`, { path: from });
  const partial = `${path}.copy`;
  try {
    await copyFile(from, partial);
    const found = await digestOfFile(partial, 'md5');
    if (!hasPublishedContent(file, found)) {
      const message = `${from} is not the published file: ${differentDigests(digestOf(file), found)} (${bytes} bytes).`;
      throw new LocalgradError('invalid-data', message, { path: from, expected: md5, found });
    }
    await rename(partial, path);
    return { name, path, bytes, md5: found, state: 'copied' };
  } finally {
    await rm(partial, { force: true });
  }
}

function digestOf({ md5 }: SourceFile): Digest {
  return { algorithm: 'md5', hex: md5 };
}

async function sizeIfFile(path: string): Promise<number | undefined> {
  return stat(path).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined,
  );
}
