import { LocalgradError, shown } from '@localgrad/core';

const download =
  'download the binary version, cifar-10-binary.tar.gz, from https://www.cs.toronto.edu/~kriz/cifar.html (University of Toronto)';
export const howToGetCifar10 = `Run: localgrad data fetch cifar10, and omit the folder; or ${download}, and unpack it: tar -xzf cifar-10-binary.tar.gz`;

const firstFile = 'data_batch_1.bin';
/** Name of the folder in the archive. */
const archiveFolder = 'cifar-10-batches-bin';
const imageFile = /\.(?:png|jpe?g|webp|bmp)$/i;

/**
 * Finds the folder with CIFAR-10's binary files: the given one, or its subfolder `cifar-10-batches-bin`.
 *
 * @throws LocalgradError `missing-dependency` that states what the folder contains instead, with the command to run
 */
export async function locateCifar10(folder: string): Promise<string> {
  const { join } = await import('node:path');
  const fail = (problem: string, cure: string): never => {
    throw new LocalgradError('missing-dependency', `${problem} ${cure}.`, { folder });
  };
  const names = await contentsOf(folder, fail);
  const holdsFiles = (found: readonly string[]) => found.some((name) => /^data_batch_\d\.bin(?:\.gz)?$/.test(name));
  if (holdsFiles(names)) return folder;
  const inner = new Map<string, readonly string[]>();
  for (const name of names.slice(0, 200)) inner.set(name, await listIfFolder(join(folder, name)));
  if (holdsFiles(inner.get(archiveFolder) ?? [])) return join(folder, archiveFolder);

  const all = [...names, ...[...inner.values()].flat()];
  const has = (pattern: RegExp) => all.find((name) => pattern.test(name));
  const parent = [...inner].find(([, found]) => holdsFiles(found))?.[0];
  if (parent !== undefined) {
    fail(
      `Folder ${shown(folder)} contains CIFAR-10 in a subfolder.`,
      `Use that folder: ${shown(join(folder, parent))}`,
    );
  }
  const archive = has(/^cifar-10-binary.*\.(?:tar|tar\.gz|tgz)$/);
  if (archive !== undefined) {
    const path = join(folder, archive);
    fail(
      `Folder ${shown(folder)} contains the archive ${shown(archive)}, which must be unpacked.`,
      `Run: tar -xf ${shown(path)} -C ${shown(folder)}`,
    );
  }
  const is100 = has(/^(?:cifar-?100|fine_label_names|coarse_label)/i) !== undefined;
  if (is100 || (names.includes('train.bin') && names.includes('test.bin'))) {
    fail(`Folder ${shown(folder)} contains CIFAR-100; CIFAR-10 is required.`, howToGetCifar10);
  }
  if (has(/^(?:data_batch_\d|test_batch|batches\.meta|cifar-10-python.*|cifar-10-batches-py)$/) !== undefined) {
    fail(
      `Folder ${shown(folder)} contains the Python version of CIFAR-10; the binary version is required.`,
      howToGetCifar10,
    );
  }
  if (has(/^(?:data_batch_\d\.mat|cifar-10-(?:batches-mat|matlab).*)$/) !== undefined) {
    fail(
      `Folder ${shown(folder)} contains the Matlab version of CIFAR-10; the binary version is required.`,
      howToGetCifar10,
    );
  }
  const nested = await listIfFolder(join(folder, names[0] ?? '', inner.get(names[0] ?? '')?.[0] ?? ''));
  if (has(imageFile) !== undefined || nested.some((name) => imageFile.test(name))) {
    fail(`Folder ${shown(folder)} contains image files; CIFAR-10's binary version is required.`, howToGetCifar10);
  }
  const listed = names.slice(0, 5).map(shown).join(', ');
  const content = names.length === 0 ? 'is empty' : `contains ${listed}${names.length > 5 ? ', …' : ''}`;
  return fail(`${join(folder, firstFile)} was not found: folder ${shown(folder)} ${content}.`, howToGetCifar10);
}

async function contentsOf(folder: string, fail: (problem: string, cure: string) => never): Promise<string[]> {
  const { readdir } = await import('node:fs/promises');
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return fail(`Folder ${shown(folder)} does not exist.`, howToGetCifar10);
    if (code === 'ENOTDIR') {
      const isArchive = /\.(?:tar|gz|tgz|zip)$/.test(folder);
      const cure = isArchive ? `Unpack it: tar -xf ${shown(folder)}` : howToGetCifar10;
      return fail(`${shown(folder)} is a file; expected the folder with CIFAR-10's binary files.`, cure);
    }
    return fail(`Folder ${shown(folder)} cannot be read: ${message}.`, howToGetCifar10);
  }
}

async function listIfFolder(path: string): Promise<readonly string[]> {
  const { readdir } = await import('node:fs/promises');
  return readdir(path).catch(() => []);
}
