import { open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../caught.js';
import { LocalgradError, rejectUnknownKeys } from '../errors.js';
import { readWholeFile } from '../folders/read-whole-file.js';
import { whileBusy } from '../folders/while-busy.js';
import { type Digest, differentDigests, digestOfFile } from './digest.js';
import { requestFrom } from './request.js';

/** A file as published by its authors. */
export interface PublishedFile {
  readonly name: string;
  /** URLs, tried in order. */
  readonly urls: readonly string[];
  /** Published hash of the whole file. */
  readonly digest: Digest;
}

export interface DownloadOptions {
  /** Milliseconds without a byte after which a connection is closed. Default 30,000. */
  readonly stallTimeout?: number;
  /** Maximum number of consecutive attempts without a new byte. Default 5. */
  readonly attempts?: number;
  /** Milliseconds before the first retry; doubles with each retry. Default 1,000. */
  readonly retryDelay?: number;
  readonly signal?: AbortSignal;
  /** Called as bytes arrive; `total` is the size that the server declares. */
  readonly onProgress?: (progress: DownloadProgress) => void;
}

/** The names of the options, for checks. */
export const downloadOptionNames = [
  'stallTimeout',
  'attempts',
  'retryDelay',
  'signal',
  'onProgress',
] as const satisfies readonly (keyof DownloadOptions)[];

export interface DownloadProgress {
  readonly file: string;
  readonly received: number;
  readonly total: number | undefined;
}

/** Stored next to a partial file: the origin of its content. */
interface PartialState {
  readonly url: string;
  /** ETag or date of the content; downloads of changed files start over. */
  readonly validator: string | undefined;
}

/**
 * Downloads a file next to its final path, resumes after an interruption, compares the hash, and renames it only then. The final
 * path never has other content.
 *
 * @throws LocalgradError `invalid-data`: no URL yields the content; the partial file allows the next call to resume
 */
export async function downloadFile(file: PublishedFile, path: string, options: DownloadOptions = {}): Promise<void> {
  rejectUnknownKeys('downloadFile', options, downloadOptionNames);
  const problems: string[] = [];
  for (const url of file.urls) {
    try {
      await downloadFrom(url, file, path, options);
      return;
    } catch (error) {
      options.signal?.throwIfAborted();
      problems.push(messageOf(error));
    }
  }
  throw new LocalgradError(
    'invalid-data',
    `${file.name} could not be downloaded. ${problems.join(' ')} Run the same command again to resume, or get the file by other means and pass its folder as --from-dir.`,
    { file: file.name, urls: file.urls },
  );
}

async function downloadFrom(url: string, file: PublishedFile, path: string, options: DownloadOptions): Promise<void> {
  const { attempts = 5, retryDelay = 1_000, signal } = options;
  const partial = `${path}.part`;
  let failures = 0;
  let isRestarted = false;
  for (;;) {
    const before = await sizeOf(partial);
    try {
      await receive(url, file, partial, options);
      const found = await digestOfFile(partial, file.digest.algorithm);
      if (found === file.digest.hex) {
        await whileBusy(() => rename(partial, path));
        await rm(`${partial}.json`, { force: true });
        return;
      }
      await removePartial(partial);
      // A file that changed between two parts is downloaded once more as a whole.
      if (before > 0 && !isRestarted) {
        isRestarted = true;
        continue;
      }
      throw new FinalError(`${url}: ${differentDigests(file.digest, found)}: the content is not the published file.`);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof FinalError) throw error;
      failures = (await sizeOf(partial)) > before ? 1 : failures + 1;
      if (failures >= attempts) {
        const message = messageOf(error);
        throw new Error(`${url}: ${message}, ${attempts} times in a row.`);
      }
      await delay(retryDelay * 2 ** (failures - 1), undefined, signal === undefined ? {} : { signal });
    }
  }
}

/** An error that another attempt would not fix. */
class FinalError extends Error {}

/** Appends the missing bytes to the partial file. */
async function receive(url: string, file: PublishedFile, partial: string, options: DownloadOptions): Promise<void> {
  const state = await readState(partial, url);
  if (state === undefined) await removePartial(partial);
  const start = state === undefined ? 0 : await sizeOf(partial);
  const response = await requestFrom(url, start, state?.validator, options.stallTimeout ?? 30_000, options.signal);
  try {
    if (response.isComplete) return;
    if (response.start !== start) await removePartial(partial);
    await writeFile(`${partial}.json`, JSON.stringify({ url, validator: response.validator }));
    const output = await open(partial, response.start === 0 ? 'w' : 'a');
    let received = response.start;
    try {
      for await (const chunk of response.chunks) {
        await output.writeFile(chunk);
        received += chunk.length;
        options.onProgress?.({ file: file.name, received, total: response.total });
      }
      await output.sync();
    } finally {
      await output.close();
    }
    if (response.total !== undefined && received !== response.total) {
      throw new Error(`the server declared ${response.total} bytes and sent ${received}`);
    }
  } finally {
    response.close();
  }
}

async function readState(partial: string, url: string): Promise<PartialState | undefined> {
  try {
    const state: PartialState = JSON.parse((await readWholeFile(`${partial}.json`)).toString('utf8'));
    return state.url === url ? state : undefined;
  } catch {
    return undefined;
  }
}

async function removePartial(partial: string): Promise<void> {
  await rm(partial, { force: true });
  await rm(`${partial}.json`, { force: true });
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
