import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm, statfs } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { findOptional, tryTensorflow } from '@localgrad/backends';
import { LocalgradError } from '@localgrad/core';
import { createFolders, folderError } from '@localgrad/core/folders';
import { unpackArchive } from './archive.js';
import { buildBinding, isComplete } from './binding.js';
import { runProgram } from './run-program.js';
import { fetchLibrary, type LibrarySource, parseSource } from './source.js';
import { unpackWheel } from './wheel.js';

const packageName = '@tensorflow/tfjs-node';
const packageVersion = '4.22.0';

/** Temporary disk space for a wheel and its unpacked files; only the library remains. */
const neededBytes = 900 * 2 ** 20;

export interface SetupOptions {
  /** `pypi`, or a path or URL of a wheel or an archive. */
  readonly from: string;
  /** Rebuild even if the binding already works. */
  readonly force: boolean;
  /** Folder for the libraries, shared by all projects; default: `localgrad` in the user's cache folder. */
  readonly cache?: string | undefined;
}

export interface SetupReport {
  readonly package: string;
  readonly folder: string;
  readonly library: string | null;
  /** Version of the C library. */
  readonly tensorflow: string;
  readonly built: boolean;
}

/**
 * Installs `@tensorflow/tfjs-node` in the project of the working directory if its own download is not available: the
 * library is obtained from another source, and the binding is compiled locally.
 *
 * @throws LocalgradError `missing-dependency`, `invalid-data`, `invalid-option`
 */
export async function setUpTensorflow(options: SetupOptions, say: (line: string) => void): Promise<SetupReport> {
  const source = parseSource(options.from);
  const folder = await ensurePackage(say);
  const already = options.force ? undefined : await tryTensorflow(packageName);
  if (already?.works === true) {
    return { package: packageName, folder, library: null, tensorflow: already.tensorflow, built: false };
  }
  const library = await ensureLibrary(source, options.cache ?? defaultCache(), say);
  say('Compiling the binding …');
  await buildBinding(folder, library);
  const trial = await tryTensorflow(packageName);
  if (trial?.works !== true) {
    throw new LocalgradError(
      'backend-unavailable',
      `The binding was built, but does not load: ${trial?.message.split('\n')[0] ?? 'the package is missing'}`,
    );
  }
  return { package: packageName, folder, library, tensorflow: trial.tensorflow, built: true };
}

async function ensurePackage(say: (line: string) => void): Promise<string> {
  const found = await findOptional(packageName);
  if (found !== undefined) return found;
  const project = process.cwd();
  if (!existsSync(join(project, 'package.json'))) {
    throw new LocalgradError(
      'invalid-option',
      `'${project}' is not an npm project: it has no package.json. Run npm init.`,
    );
  }
  say(`Installing ${packageName}@${packageVersion} without its download (package.json is not changed) …`);
  // Saving it would break the next `npm ci` wherever the package's own download is blocked.
  const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
  const { code, output } = await runProgram('npm', [...args, `${packageName}@${packageVersion}`], project);
  const installed = code === 0 ? await findOptional(packageName) : undefined;
  if (installed === undefined) {
    throw new LocalgradError('missing-dependency', `npm could not install ${packageName}:\n${output.trim()}`);
  }
  return installed;
}

/** Unpacks under a temporary name first, so that an interrupted setup leaves no incomplete library. */
async function ensureLibrary(source: LibrarySource, cache: string, say: (line: string) => void): Promise<string> {
  const library = join(cache, 'tensorflow', source.id);
  if (isComplete(library)) return library;
  await createFolders(dirname(library)).catch((error: unknown) => {
    throw folderError(dirname(library), error);
  });
  const { bavail, bsize } = await statfs(dirname(library));
  if (bavail * bsize < neededBytes) {
    throw new LocalgradError(
      'missing-dependency',
      `TensorFlow's library needs ${neededBytes / 2 ** 20} MiB in '${dirname(library)}', where only ${Math.floor((bavail * bsize) / 2 ** 20)} MiB are free. Choose another folder with --cache.`,
    );
  }
  const work = await mkdtemp(`${library}.partial-`);
  try {
    say(source.kind === 'file' ? `Unpacking ${source.path} …` : 'Downloading the library (about 200 MB) …');
    const file = await fetchLibrary(source, work);
    const unpacked = join(work, 'library');
    await (file.endsWith('.whl') ? unpackWheel : unpackArchive)(file, unpacked);
    await rm(library, { recursive: true, force: true });
    await rename(unpacked, library);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return library;
}

function defaultCache(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'localgrad');
}
