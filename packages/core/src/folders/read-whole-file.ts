import { type Stats, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';

/** Reads a file into memory. @throws the system's error, or that of `rejectDevice` */
export async function readWholeFile(path: string): Promise<Buffer> {
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
  check(path, await stat(path));
}

/** `rejectDevice`, returning once the file is checked. */
export function rejectDeviceSync(path: string): void {
  check(path, statSync(path));
}

function check(path: string, found: Stats): void {
  if (found.isFile() || found.isDirectory()) return;
  throw Object.assign(new Error(`'${path}' is not a file`), { code: 'ENXIO', path });
}
