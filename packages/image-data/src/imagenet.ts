import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalgradError, readProblem, rejectUnknownKeys } from '@localgrad/core';
import { rejectDevice } from '@localgrad/core/folders';
import { damaged, tarEntries } from '@localgrad/data';
import type { EncodedImages, EncodedSplits } from './encoded-images.js';
import { validationClasses } from './imagenet-labels.js';
import { TarFileReader } from './tar-file-reader.js';

const trainArchive = 'ILSVRC2012_img_train.tar';
const testArchive = 'ILSVRC2012_img_val.tar';
const howToGetIt = 'ImageNet is distributed to registered users by image-net.org (ILSVRC 2012, Tasks 1 and 2).';

/** Whether a folder contains ImageNet's archives. */
export function isImagenetFolder(names: readonly string[]): boolean {
  return names.includes(trainArchive);
}

export interface ImagenetOptions {
  /**
   * Folder with `ILSVRC2012_img_train.tar`, `ILSVRC2012_img_val.tar` and `ILSVRC2012_devkit_t12.tar.gz`. Nothing is unpacked:
   * headers are read once, images on demand.
   */
  readonly folder: string;
}

/** Opens ImageNet from its official archives. @throws LocalgradError `missing-dependency`, `invalid-data`, `invalid-option` */
export async function imagenet(options: ImagenetOptions): Promise<EncodedSplits> {
  rejectUnknownKeys('imagenet', options, ['folder']);
  const { folder } = options;
  const train = await indexTrain(join(folder, trainArchive));
  const classes = [...new Set(train.map(({ group }) => group))].sort();
  const names = await validationClasses(folder, howToGetIt);
  const test = await indexTest(join(folder, testArchive), names);
  return {
    train: fromTar('imagenet', join(folder, trainArchive), classes, train),
    test: fromTar('imagenet', join(folder, testArchive), classes, test),
  };
}

/** Position of an image in an archive, and the WordNet ID of its class. */
interface Place {
  readonly name: string;
  readonly group: string;
  readonly offset: number;
  readonly size: number;
}

/** The archive of training images contains one archive per class. */
async function indexTrain(path: string): Promise<Place[]> {
  return withTar(path, async (file, size) => {
    const places: Place[] = [];
    const reader = new TarFileReader(file, { path, howToGetIt }, 0, size);
    for await (const archive of tarEntries(reader)) {
      if (!/^n\d{8}\.tar$/.test(archive.name)) {
        throw damaged({ path, howToGetIt }, archive.offset, 'an archive such as n01440764.tar', `'${archive.name}'`);
      }
      const group = archive.name.slice(0, -4);
      const end = archive.offset + archive.size;
      const inner = new TarFileReader(file, { path: `${path}: ${archive.name}`, howToGetIt }, archive.offset, end);
      for await (const { name, offset, size: bytes } of tarEntries(inner)) {
        places.push({ name, group, offset: archive.offset + offset, size: bytes });
      }
    }
    return places.sort((a, b) => compare(a.group, b.group) || compare(a.name, b.name));
  });
}

async function indexTest(path: string, classes: readonly string[]): Promise<Place[]> {
  return withTar(path, async (file, size) => {
    const places: Omit<Place, 'group'>[] = [];
    for await (const { name, offset, size: bytes } of tarEntries(
      new TarFileReader(file, { path, howToGetIt }, 0, size),
    )) {
      places.push({ name, offset, size: bytes });
    }
    if (places.length !== classes.length) {
      throw damaged({ path, howToGetIt }, size, `${classes.length} images, one for each label`, `${places.length}`);
    }
    places.sort((a, b) => compare(a.name, b.name));
    return places.map((place, index) => ({ ...place, group: classes[index] ?? '' }));
  });
}

async function withTar<T>(
  path: string,
  read: (file: Awaited<ReturnType<typeof open>>, size: number) => Promise<T>,
): Promise<T> {
  const opened = rejectDevice(path).then(() => open(path));
  const file = await opened.catch((cause: unknown) => {
    throw new LocalgradError(
      'missing-dependency',
      `${path} cannot be opened: ${readProblem(cause)}. ${howToGetIt}`,
      { path },
      { cause },
    );
  });
  try {
    return await read(file, (await file.stat()).size);
  } finally {
    await file.close();
  }
}

function fromTar(name: string, path: string, classes: readonly string[], places: readonly Place[]): EncodedImages {
  const labelOf = new Map(classes.map((group, label) => [group, label]));
  const labels = Int32Array.from(places, ({ group }) => labelOf.get(group) ?? -1);
  const unknown = labels.indexOf(-1);
  if (unknown >= 0) {
    throw damaged(
      { path, howToGetIt },
      places[unknown]?.offset ?? 0,
      'a class of the training images',
      `'${places[unknown]?.group}'`,
    );
  }
  const locate = (index: number) => `${path}: ${places[index]?.name}`;
  return {
    name,
    classes,
    size: places.length,
    labels,
    locate,
    async read(index) {
      const { offset = 0, size = 0 } = places[index] ?? {};
      const file = await open(path);
      try {
        const bytes = new Uint8Array(size);
        const { bytesRead } = await file.read(bytes, 0, size, offset);
        if (bytesRead === size) return bytes;
        throw damaged({ path, howToGetIt }, offset, `${size} bytes of ${locate(index)}`, `${bytesRead}`);
      } finally {
        await file.close();
      }
    },
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
