import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { LocalgradError, messageOf } from '@localgrad/core';
import { createFolders } from '@localgrad/core/folders';
import { extract, type ReadEntry } from 'tar';

/**
 * Unpacks the official archive of TensorFlow's C library (`libtensorflow-cpu-linux-x86_64-….tar.gz`) into `folder`.
 *
 * @throws LocalgradError `invalid-data`
 */
export async function unpackArchive(file: string, folder: string): Promise<void> {
  await createFolders(folder);
  try {
    await extract({ file, cwd: folder, strict: true, onReadEntry: dropSpecialBits });
  } catch (error) {
    throw new LocalgradError(
      'invalid-data',
      `'${file}' is not an intact .tar.gz archive: ${messageOf(error)}.`,
      { file },
      { cause: error },
    );
  }
  const libraries = existsSync(join(folder, 'lib')) ? readdirSync(join(folder, 'lib')) : [];
  if (!libraries.some((name) => name.startsWith('libtensorflow.'))) {
    throw new LocalgradError(
      'invalid-data',
      `'${file}' contains no lib/libtensorflow. Allowed: archives such as libtensorflow-cpu-linux-x86_64-2.9.1.tar.gz.`,
      { file },
    );
  }
}

/** A library needs no setuid, setgid or sticky bit, and no write permission for others. */
function dropSpecialBits(entry: ReadEntry): void {
  if (entry.mode !== undefined) entry.mode &= 0o755;
}
