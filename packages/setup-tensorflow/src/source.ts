import { createHash } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LocalgradError, messageOf } from '@localgrad/core';
import { unpackArchive } from './archive.js';
import { unpackWheel } from './wheel.js';

/** The user's own file with TensorFlow's C library. */
export type LibrarySource =
  | { readonly kind: 'file'; readonly path: string; readonly id: string }
  | { readonly kind: 'url'; readonly url: string; readonly id: string };

/** @returns undefined for `pypi` @throws LocalgradError `invalid-option` */
export function parseSource(text: string): LibrarySource | undefined {
  if (text === 'pypi') return undefined;
  const isUrl = /^https?:\/\//.test(text);
  if (!isUrl && !existsSync(text)) {
    throw refused(text, 'the file does not exist');
  }
  const name = basename(isUrl ? new URL(text).pathname : text);
  if (!/\.(whl|tar\.gz|tgz)$/.test(name)) throw refused(text, `'${name}' does not end in .whl, .tar.gz or .tgz`);
  const id = `${name}-${createHash('sha256').update(text).digest('hex').slice(0, 8)}`;
  return isUrl ? { kind: 'url', url: text, id } : { kind: 'file', path: text, id };
}

function refused(text: string, why: string): LocalgradError {
  return new LocalgradError(
    'invalid-option',
    `--from '${text}': ${why}. Allowed: pypi; a path or a URL of a wheel of tensorflow-cpu (.whl) or of an archive of libtensorflow (.tar.gz).`,
    { value: text },
  );
}

/**
 * Unpacks the source's library into `folder`.
 *
 * @param work an empty folder for its download
 * @throws LocalgradError `missing-dependency` if it cannot be downloaded, `invalid-data`
 */
export async function unpackSource(
  source: LibrarySource,
  work: string,
  folder: string,
  say: (line: string) => void,
): Promise<void> {
  say(source.kind === 'file' ? `Unpacking ${source.path} …` : 'Downloading the library (about 200 MB) …');
  const file = source.kind === 'file' ? source.path : await download(source.url, work);
  await (file.endsWith('.whl') ? unpackWheel : unpackArchive)(file, folder);
}

async function download(url: string, folder: string): Promise<string> {
  const target = join(folder, basename(new URL(url).pathname));
  try {
    const response = await fetch(url);
    if (!response.ok || response.body === null) throw new Error(`the server responded with status ${response.status}`);
    await pipeline(Readable.fromWeb(response.body as never), createWriteStream(target));
    return target;
  } catch (error) {
    const cause = messageOf(error instanceof Error ? (error.cause ?? error) : error);
    throw new LocalgradError('missing-dependency', `Cannot download ${url}: ${cause}.`, { url }, { cause: error });
  }
}
