import type { Trial } from '@localgrad/tensorflow-kernels';

/** Browsers have no native packages. */
export async function tryPackage(_packageName: string): Promise<Trial | undefined> {
  return undefined;
}
