import { existsSync, readdirSync } from 'node:fs';
import { rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { createFolders } from '@localgrad/core/folders';
import nodeApi from 'node-api-headers';
import { runProgram } from './run-program.js';

/**
 * Node-API version of the binding that TensorFlow.js' Node package loads; supported by every supported Node version.
 */
const nodeApiVersion = 8;

/**
 * Links the library into the package (`deps/`) and compiles the package's binding against it.
 *
 * @param packageFolder folder of `@tensorflow/tfjs-node`
 * @param libraryFolder folder with `lib/` and `include/`
 * @throws LocalgradError `missing-dependency` without a C++ compiler, or with the compiler's output if it fails
 */
export async function buildBinding(packageFolder: string, libraryFolder: string): Promise<void> {
  const deps = join(packageFolder, 'deps');
  await rm(deps, { recursive: true, force: true });
  await symlink(libraryFolder, deps, 'dir');
  const folder = join(packageFolder, 'lib', `napi-v${nodeApiVersion}`);
  await createFolders(folder);
  const target = join(folder, 'tfjs_binding.node');
  const partial = `${target}.${process.pid}.partial`;
  const args = compilerArguments(packageFolder, libraryFolder, partial);
  const compilers = process.env.CXX === undefined ? ['c++', 'g++', 'clang++'] : [process.env.CXX];
  for (const compiler of compilers) {
    const { code, output } = await runProgram(compiler, args);
    if (code === 127) continue;
    if (code !== 0) {
      await rm(partial, { force: true });
      throw new LocalgradError(
        'missing-dependency',
        `${compiler} could not build the binding of TensorFlow.js:\n${output.trim().split('\n').slice(-12).join('\n')}`,
      );
    }
    await rename(partial, target);
    return;
  }
  throw new LocalgradError(
    'missing-dependency',
    `Compiling the binding requires a C++ compiler; none of ${compilers.join(', ')} was found. ${howToGetCompiler()}`,
  );
}

function howToGetCompiler(): string {
  return process.platform === 'darwin' ? 'Install it: xcode-select --install.' : 'On Debian: apt-get install g++.';
}

/** @param platform default: that of this process */
export function compilerArguments(
  packageFolder: string,
  libraryFolder: string,
  output: string,
  platform: NodeJS.Platform = process.platform,
): string[] {
  const isMac = platform === 'darwin';
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(packageFolder, 'binding', name));
  return [
    '-std=c++17',
    '-O2',
    '-fPIC',
    '-shared',
    `-DNAPI_VERSION=${nodeApiVersion}`,
    '-DBUILDING_NODE_EXTENSION',
    ...[join(packageFolder, 'binding'), join(libraryFolder, 'include'), nodeApi.include_dir].map((path) => `-I${path}`),
    ...sources,
    '-o',
    output,
    `-L${join(libraryFolder, 'lib')}`,
    ...librariesOf(libraryFolder).map((name) => join(libraryFolder, 'lib', name)),
    // The folder of the binding has another name in the loader of macOS, which takes $ORIGIN for a folder.
    `-Wl,-rpath,${isMac ? '@loader_path' : '$ORIGIN'}/../../deps/lib`,
    // The functions of Node.js itself are found when it loads the binding.
    ...(isMac ? ['-undefined', 'dynamic_lookup'] : []),
  ];
}

function librariesOf(folder: string): string[] {
  const names = readdirSync(join(folder, 'lib'));
  const pick = (stem: string) =>
    names.filter(
      (name) => name === `${stem}.so` || name.startsWith(`${stem}.so.`) || name.startsWith(`${stem}.2.dylib`),
    );
  const [main] = [...pick('libtensorflow_cc'), ...pick('libtensorflow')];
  const [framework] = pick('libtensorflow_framework');
  return [main, framework].filter((name) => name !== undefined);
}

/** Whether a library was unpacked completely, because folders are renamed last. */
export function isComplete(libraryFolder: string): boolean {
  return existsSync(join(libraryFolder, 'lib')) && existsSync(join(libraryFolder, 'include'));
}
