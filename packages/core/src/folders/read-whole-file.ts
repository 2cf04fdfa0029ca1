import { readFile, stat } from 'node:fs/promises';

/**
 * Reads a file into memory. Devices, sockets and pipes may never end: they are rejected with the code `ENXIO` of the system,
 * for which `readProblem` has words.
 *
 * @throws the system's error
 */
export async function readWholeFile(path: string): Promise<Uint8Array> {
  const found = await stat(path);
  if (found.isFile() || found.isDirectory()) return readFile(path);
  throw Object.assign(new Error(`'${path}' is not a file`), { code: 'ENXIO', path });
}
