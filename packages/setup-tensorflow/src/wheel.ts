import { createWriteStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LocalgradError, messageOf } from '@localgrad/core';
import { createFolders } from '@localgrad/core/folders';
import * as yauzl from 'yauzl';

/** The C library, and the headers that its C interface includes. */
const library = /^tensorflow\/(libtensorflow_(?:cc|framework)\.(?:so|dylib|\d)[\w.]*)$/;
const header = /^tensorflow\/(include\/(?:tensorflow\/c|tensorflow\/core\/platform|tsl|xla\/tsl)\/.+\.(?:h|inc))$/;

/**
 * Unpacks the files that a binding needs from a TensorFlow wheel: `lib/` and `include/` below `folder`.
 *
 * @throws LocalgradError `invalid-data` for a corrupt wheel, or one without the C library
 */
export async function unpackWheel(file: string, folder: string): Promise<void> {
  let libraries = 0;
  try {
    const zip = await yauzl.openPromise(file);
    try {
      for await (const entry of zip.eachEntry()) {
        const name = library.exec(entry.fileName)?.[1];
        const path = name === undefined ? header.exec(entry.fileName)?.[1] : `lib/${name}`;
        if (path === undefined) continue;
        const target = join(folder, path);
        await createFolders(dirname(target));
        await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(target));
        if (name !== undefined) libraries++;
      }
    } finally {
      zip.close();
    }
  } catch (error) {
    throw new LocalgradError(
      'invalid-data',
      `'${file}' is not an intact wheel (zip file): ${messageOf(error)}.`,
      { file },
      { cause: error },
    );
  }
  if (libraries < 2) {
    throw new LocalgradError(
      'invalid-data',
      `'${file}' contains no libtensorflow_cc and libtensorflow_framework. Allowed: wheels of tensorflow-cpu 2.12 to 2.15, which contain TensorFlow's C library.`,
      { file },
    );
  }
}
