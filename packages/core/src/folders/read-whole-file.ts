import { readFile, stat } from 'node:fs/promises';

/** Reads a file into memory. @throws the system's error, or that of `rejectDevice` */
export async function readWholeFile(path: string): Promise<Uint8Array> {
  await rejectDevice(path);
  return readFile(path);
}

/**
 * Devices, sockets and pipes may never end: they are rejected with the code `ENXIO` of the system, for which `readProblem` has
 * words.
 *
 * @throws the system's error
 */
export async function rejectDevice(path: string): Promise<void> {
  const found = await stat(path);
  if (found.isFile() || found.isDirectory()) return;
  throw Object.assign(new Error(`'${path}' is not a file`), { code: 'ENXIO', path });
}
