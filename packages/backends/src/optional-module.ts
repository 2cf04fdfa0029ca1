/** Where an optional package was found. */
export interface FoundModule {
  /** Path of the file that `import` takes. */
  readonly entry: string;
  /** Folder of its package.json. */
  readonly folder: string;
}

/**
 * Looks for a package in the user's project (the working directory and above), then beside this one. Returns undefined
 * where it is not installed; in browsers nothing is found.
 */
export async function findOptional(name: string): Promise<FoundModule | undefined> {
  if (typeof process !== 'object' || process.versions?.node === undefined) return undefined;
  const { createRequire } = await import('node:module');
  const { dirname, join, sep } = await import('node:path');
  for (const base of [join(process.cwd(), 'package.json'), import.meta.url]) {
    try {
      const entry = createRequire(base).resolve(name);
      const mark = join('node_modules', ...name.split('/'));
      const end = entry.lastIndexOf(mark + sep);
      return { entry, folder: end < 0 ? dirname(entry) : entry.slice(0, end + mark.length) };
    } catch (error) {
      if (!['MODULE_NOT_FOUND', 'ERR_PACKAGE_PATH_NOT_EXPORTED'].includes((error as { code?: string }).code ?? '')) {
        throw error;
      }
    }
  }
  return undefined;
}

/** Imports an optional package from where `findOptional` finds it, so that it shares the project's TensorFlow.js. */
export async function importOptional<Module>(name: string): Promise<Module | undefined> {
  const found = await findOptional(name);
  if (found === undefined) return undefined;
  const { pathToFileURL } = await import('node:url');
  return (await import(/* @vite-ignore */ pathToFileURL(found.entry).href)) as Module;
}
