import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findOptional, tryTensorflow } from '@localgrad/backends';
import { LocalgradError } from '@localgrad/core';
import { cacheFolder } from '@localgrad/core/folders';
import { buildBinding } from './binding.js';
import { provideRelease, provideSource } from './library.js';
import { defaultIndex } from './package-index.js';
import { gpuRelease, processorRelease, type Release } from './releases.js';
import { runProgram } from './run-program.js';
import { type LibrarySource, parseSource } from './source.js';

const packageVersion = '4.22.0';

export interface SetupOptions {
  /** `@tensorflow/tfjs-node-gpu`, with the libraries of CUDA. Default false: `@tensorflow/tfjs-node`. */
  readonly gpu?: boolean | undefined;
  /** `pypi`, or a path or URL of a wheel or an archive for the processor. */
  readonly from: string;
  /** Folder with the wheels; nothing is downloaded. */
  readonly fromDir?: string | undefined;
  /** URL of a package index. Default: `PIP_INDEX_URL`, or PyPI. */
  readonly index?: string | undefined;
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
  /** Whether TensorFlow uses a GPU of this machine. */
  readonly gpu: boolean;
  readonly built: boolean;
}

/**
 * Installs `@tensorflow/tfjs-node` or `@tensorflow/tfjs-node-gpu` in the project of the working directory if its own
 * download is not available, or too old for the GPU: the library is obtained from another source, and the binding is
 * compiled locally.
 *
 * @throws LocalgradError `missing-dependency`, `invalid-data`, `invalid-option`, `misuse` (another process sets it up)
 */
export async function setUpTensorflow(options: SetupOptions, say: (line: string) => void): Promise<SetupReport> {
  const release = options.gpu === true ? gpuRelease : processorRelease;
  const { packageName } = release;
  const source = parseSource(options.from);
  checkSource(release, source, options);
  const folder = await ensurePackage(packageName, say);
  const already = options.force ? undefined : await tryTensorflow(packageName);
  if (already?.works === true && (options.gpu !== true || already.gpu || already.tensorflow === release.tensorflow)) {
    const { tensorflow, gpu } = already;
    return { package: packageName, folder, library: null, tensorflow, gpu, built: false };
  }
  const cache = options.cache ?? cacheFolder();
  const index = options.index ?? process.env.PIP_INDEX_URL ?? defaultIndex;
  const library =
    source === undefined
      ? await provideRelease(release, cache, { index, fromDir: options.fromDir }, say)
      : await provideSource(source, cache, say);
  say('Compiling the binding …');
  await buildBinding(folder, library);
  const trial = await tryTensorflow(packageName);
  if (trial?.works !== true) {
    throw new LocalgradError(
      'backend-unavailable',
      `The binding was built, but does not load: ${trial?.message.split('\n')[0] ?? 'the package is missing'}`,
    );
  }
  return { package: packageName, folder, library, tensorflow: trial.tensorflow, gpu: trial.gpu, built: true };
}

/** @param platform default: that of this process */
export function checkSource(
  release: Release,
  source: LibrarySource | undefined,
  { gpu, from, fromDir }: Pick<SetupOptions, 'gpu' | 'from' | 'fromDir'>,
  platform: NodeJS.Platform = process.platform,
): void {
  const reject = (message: string) => new LocalgradError('invalid-option', message);
  if (platform === 'win32') {
    throw new LocalgradError(
      'missing-dependency',
      `This command compiles on Linux and macOS only. On Windows, try npm install ${release.packageName}; the backends wasm and webgpu work without it.`,
    );
  }
  if (source !== undefined) {
    if (gpu === true)
      throw reject(`--from '${from}' cannot be combined with --gpu. Pass the wheels' folder as --from-dir.`);
    if (fromDir !== undefined) throw reject('--from and --from-dir cannot be combined.');
    return;
  }
  if (fromDir !== undefined && !existsSync(fromDir))
    throw reject(`--from-dir '${fromDir}': the folder does not exist.`);
  if (platform === 'linux' && process.arch === 'x64') return;
  const here = `this is ${platform} on ${process.arch}`;
  throw new LocalgradError(
    'missing-dependency',
    gpu === true
      ? `TensorFlow's wheels with CUDA support Linux on x64 only; ${here}. The webgpu backend uses GPUs of every platform.`
      : `PyPI's wheels of ${release.wheels[0]?.name} support Linux on x64 only; ${here}. Pass --from with an archive of libtensorflow for this platform.`,
  );
}

async function ensurePackage(packageName: string, say: (line: string) => void): Promise<string> {
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
