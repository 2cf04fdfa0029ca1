import type { OwnImages } from '../worker/protocol.js';

/** Text that differs for other pictures, also for those of another folder with the same name. */
export function fingerprintOf({ name, classes, size, train, test }: OwnImages): string {
  const counts = [train.labels.length, test.labels.length];
  const contents = [train.images, train.labels, test.images, test.labels].map((values) => hashOf(values).toString(16));
  return JSON.stringify([name, classes, size, counts, contents]);
}

/** FNV-1a: cryptographic hashes are not available in pages without https. */
function hashOf(values: Uint8Array | Int32Array): number {
  let hash = 0x811c9dc5;
  for (const value of values) hash = Math.imul(hash ^ value, 0x01000193);
  return hash >>> 0;
}
