import { createWriteStream } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LocalgradError, messageOf } from '@localgrad/core';
import { createFolders } from '@localgrad/core/folders';
import * as yauzl from 'yauzl';

/** What a binding needs from TensorFlow: the C library, and the headers that its C interface includes. */
const library = /^tensorflow\/(libtensorflow_(?:cc|framework)\.(?:so|dylib|\d)[\w.]*)$/;
const header = /^tensorflow\/(include\/(?:tensorflow\/c|tensorflow\/core\/platform|tsl|xla\/tsl)\/.+\.(?:h|inc))$/;
/** What TensorFlow needs from CUDA; its library looks for them in `../nvidia`. */
const cuda = /^nvidia\/(?:\w+\/lib\/lib[\w.+-]+\.so[\w.]*|cuda_nvcc\/bin\/ptxas|cuda_nvcc\/nvvm\/libdevice\/[\w.]+)$/;
const programs = /\/bin\/\w+$/;

/**
 * Unpacks a TensorFlow wheel: the files that a binding needs, as `lib/` and `include/` below `folder`.
 *
 * @throws LocalgradError `invalid-data` for a corrupt wheel, or one without the C library
 */
export async function unpackWheel(file: string, folder: string): Promise<void> {
  const paths = await unpack(file, folder, (name) => {
    const found = library.exec(name)?.[1];
    return found === undefined ? header.exec(name)?.[1] : `lib/${found}`;
  });
  if (paths.filter((path) => path.startsWith('lib/')).length >= 2) return;
  throw new LocalgradError(
    'invalid-data',
    `'${file}' contains no libtensorflow_cc and libtensorflow_framework. Allowed: wheels of tensorflow-cpu 2.12 to 2.15, which contain TensorFlow's C library.`,
    { file },
  );
}

/**
 * Unpacks the libraries of one of NVIDIA's wheels into `nvidia/` below `folder`.
 *
 * @throws LocalgradError `invalid-data` for a corrupt wheel, or one without libraries
 */
export async function unpackCudaWheel(file: string, folder: string): Promise<void> {
  const paths = await unpack(file, folder, (name) => cuda.exec(name)?.[0]);
  if (paths.length > 0) return;
  throw new LocalgradError('invalid-data', `'${file}' contains no libraries of CUDA.`, { file });
}

/** @param pathOf where to put a file of the wheel, if it is needed @returns the paths that were written */
async function unpack(file: string, folder: string, pathOf: (name: string) => string | undefined): Promise<string[]> {
  const paths: string[] = [];
  try {
    const zip = await yauzl.openPromise(file);
    try {
      for await (const entry of zip.eachEntry()) {
        const path = pathOf(entry.fileName);
        if (path === undefined) continue;
        const target = join(folder, path);
        await createFolders(dirname(target));
        await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(target));
        if (programs.test(path)) await chmod(target, 0o755);
        paths.push(path);
      }
    } finally {
      zip.close();
    }
    return paths;
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) {
      throw new LocalgradError(
        'invalid-option',
        `Cannot unpack '${file}' into '${folder}': ${messageOf(error)}. Choose another folder with --cache.`,
        { file, folder },
        { cause: error },
      );
    }
    throw new LocalgradError(
      'invalid-data',
      `'${file}' is not an intact wheel (zip file): ${messageOf(error)}.`,
      { file },
      { cause: error },
    );
  }
}
