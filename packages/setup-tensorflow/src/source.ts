import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LocalgradError, messageOf } from '@localgrad/core';
import { runProgram } from './run-program.js';

/** The last tested release whose wheels run on every processor and system supported by TensorFlow.js 4.22.0. */
export const wheelRelease = '2.15.0';

/** Python version of the requested wheel; the C library is the same in all of them. */
const pythonTag = '3.11';

/** Source of TensorFlow's C library. */
export type LibrarySource =
  | { readonly kind: 'pypi'; readonly id: string }
  | { readonly kind: 'file'; readonly path: string; readonly id: string }
  | { readonly kind: 'url'; readonly url: string; readonly id: string };

/** @throws LocalgradError `invalid-option` */
export function parseSource(text: string): LibrarySource {
  if (text === 'pypi') return { kind: 'pypi', id: `pypi-${wheelRelease}` };
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
 * Downloads or locates the source's file and returns its path.
 *
 * @throws LocalgradError `missing-dependency` with the output of the failed download
 */
export async function fetchLibrary(source: LibrarySource, folder: string): Promise<string> {
  if (source.kind === 'file') return source.path;
  if (source.kind === 'url') return download(source.url, folder);
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new LocalgradError(
      'missing-dependency',
      `PyPI's wheels of tensorflow-cpu support Linux on x64 only; this is ${process.platform} on ${process.arch}. Pass --from with an archive of libtensorflow for this platform.`,
    );
  }
  const python = ['python3', 'python'];
  const args = ['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', '--disable-pip-version-check'];
  args.push('--python-version', pythonTag, '--platform', 'manylinux2014_x86_64', '--dest', folder);
  let said = '';
  for (const program of python) {
    const { code, output } = await runProgram(program, [...args, `tensorflow-cpu==${wheelRelease}`]);
    const wheel = code === 0 ? readdirSync(folder).find((name) => name.endsWith('.whl')) : undefined;
    if (wheel !== undefined) return join(folder, wheel);
    said ||= output.trim().split('\n').slice(-3).join('\n');
  }
  throw new LocalgradError(
    'missing-dependency',
    `pip could not download the wheel of tensorflow-cpu ${wheelRelease}:\n${said}\nTo use a local wheel or archive, pass --from FILE.`,
  );
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
