import { cpSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { openImages } from '@localgrad/image-data';
import { readCifar } from '../../packages/data/src/readers/cifar-archive.js';
import { readStl10 } from '../../packages/data/src/readers/stl10.js';
import { readSvhn } from '../../packages/data/src/readers/svhn.js';
import { createDecoder } from '../../packages/image-data/src/decode.js';
import { centralGeometry } from '../../packages/image-data/src/geometry.js';
import type { FolderCase } from './folder-case.js';

const readers = fileURLToPath(new URL('../../packages/data/src/readers/fixtures', import.meta.url));
const images = fileURLToPath(new URL('../../packages/image-data/src/fixtures', import.meta.url));

const fixture = (name: string): Buffer => readFileSync(join(readers, name));
/** As the archive that a reader looks for, not compressed: mutations reach the content. */
const unzipped = (name: string): Buffer => gunzipSync(fixture(name));

function copyTo(folder: string, ...paths: string[]): void {
  for (const path of paths) cpSync(path, join(folder, basename(path)), { recursive: true });
}

const svhn = { train: 5, test: 3, extra: 2 };
const pickleWords = [
  'cnumpy\ndtype\n',
  'cos\nsystem\n',
  ')',
  '}',
  ']',
  '(',
  't',
  'R',
  'b',
  '.',
  '\u0094',
  'q\u0001',
  'h\u0001',
];

/** Readers of data sets. */
export const datasetCases: readonly FolderCase[] = [
  {
    name: 'CIFAR binary archive',
    file: 'cifar-10-binary.tar',
    inputs: [unzipped('cifar10-binary.tar.gz')],
    read: (folder) => readCifar('cifar10', folder, 10),
  },
  {
    name: 'CIFAR compressed archive',
    file: 'cifar-10-binary.tar.gz',
    inputs: [fixture('cifar10-binary.tar.gz')],
    read: (folder) => readCifar('cifar10', folder, 10),
  },
  {
    name: 'CIFAR Python archive',
    file: 'cifar-100-python.tar',
    words: pickleWords,
    inputs: ['python2', '2', '4', '5'].map((version) => unzipped(`cifar100-python-${version}.tar.gz`)),
    read: (folder) => readCifar('cifar100', folder, 10),
  },
  {
    name: 'SVHN MATLAB',
    file: 'train_32x32.mat',
    inputs: [fixture('train_32x32.mat'), fixture('train_32x32_plain.mat')],
    prepare: (folder) => copyTo(folder, join(readers, 'test_32x32.mat')),
    read: (folder) => readSvhn({ folder }, svhn),
  },
  {
    name: 'STL-10 archive',
    file: 'stl10_binary.tar.gz',
    inputs: [fixture('stl10_binary.tar.gz')],
    read: (folder) => readStl10({ folder }, { train: 6, test: 4, fold: 2 }),
  },
  {
    name: 'ImageNet archive',
    file: 'ILSVRC2012_img_train.tar',
    prepare: (folder) => cpSync(join(images, 'imagenet'), folder, { recursive: true }),
    read: (folder) => openImages({ folder }),
  },
  {
    name: 'ImageNet development kit',
    file: 'ILSVRC2012_devkit_t12.tar.gz',
    inputs: [gunzipSync(readFileSync(join(images, 'imagenet', 'ILSVRC2012_devkit_t12.tar.gz')))],
    prepare: (folder) => cpSync(join(images, 'imagenet'), folder, { recursive: true }),
    read: (folder) => openImages({ folder }),
  },
  ...['snappy', 'gzip', 'zstd'].map((compression) => ({
    name: `Parquet ${compression}`,
    file: 'train-00000-of-00001.parquet',
    prepare: (folder: string) => cpSync(join(images, `parquet-${compression}`), folder, { recursive: true }),
    read: (folder: string) => openImages({ folder }),
  })),
  {
    name: 'JPEG and PNG',
    file: 'image',
    inputs: ['cat/photo.jpg', 'cat/progressive.jpeg', 'cat/color.png', 'dog/palette.png'].map((path) =>
      readFileSync(join(images, 'folder', path)),
    ),
    async read(folder) {
      const decode = await createDecoder(3);
      const path = join(folder, 'image');
      return decode(readFileSync(path), path, centralGeometry(8));
    },
  },
];
