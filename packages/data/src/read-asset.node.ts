import { readFile } from 'node:fs/promises';

/** Reads a file of this package. */
export async function readAsset(location: URL): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(location));
}
