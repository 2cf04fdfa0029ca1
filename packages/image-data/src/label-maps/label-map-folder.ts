import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalgradError, readProblem, rejectUnknownKeys } from '@localgrad/core';
import { stratifiedSplit } from '@localgrad/data';
import { type EncodedImages, type EncodedMaps, type EncodedSplits, pickEncoded } from '../encoded-images.js';
import { imageFile, layoutOf, readImage, subfolders } from '../image-folder.js';
import { listFolder } from '../list-folder.js';
import { cityscapesClasses, trainIdOf } from './cityscapes.js';
import { type LabelMap, readPngValues } from './png-values.js';

/** Value of pixels without a class. */
export const unlabeled = 255;

/** How a folder of images with label maps is laid out. */
interface Layout {
  /** Folders of images and of maps below the data set's. */
  readonly images: string;
  readonly maps: string;
  /** What an image's name ends with, before the extension. */
  readonly imageEnd: string;
  /** What the names of maps end with instead, first choice first, and the class of each value. */
  readonly mapEnds: readonly { readonly end: string; readonly classOf?: (value: number) => number }[];
  readonly classes: (folder: string) => Promise<readonly string[]>;
}

const pairs: Layout = {
  images: 'images',
  maps: 'masks',
  imageEnd: '',
  mapEnds: [{ end: '' }],
  classes: readClasses,
};

const cityscapes: Layout = {
  images: 'leftImg8bit',
  maps: 'gtFine',
  imageEnd: '_leftImg8bit',
  mapEnds: [{ end: '_gtFine_labelTrainIds' }, { end: '_gtFine_labelIds', classOf: trainIdOf }],
  classes: async () => cityscapesClasses,
};

/** The layout of a folder with these subfolders; undefined if it has no label maps. */
function layoutAmong(names: readonly string[]): Layout | undefined {
  return [pairs, cityscapes].find(({ images, maps }) => names.includes(images) && names.includes(maps));
}

export function isLabelMapFolder(names: readonly string[]): boolean {
  return layoutAmong(names) !== undefined;
}

export interface LabelMapFolderOptions {
  /**
   * Folder with images and PNG label maps of the same names: `images/train/a.jpg` and `masks/train/a.png`, likewise `test` (or
   * `val`), with any subfolders, and a file `classes.txt` with the names of the classes, one per line, in the order of the
   * maps' values. Or Cityscapes, `leftImg8bit` and `gtFine`.
   */
  readonly folder: string;
  /** Fraction of the images held out as test images if there is no test folder. Default 0.2. */
  readonly holdOut?: number;
  /** Seed that selects the held-out images. Default 0. */
  readonly seed?: number;
}

/**
 * Finds the images of a folder and their label maps; both are read on demand. Pixels of value 255 have no class.
 *
 * @throws LocalgradError `missing-dependency`, `invalid-data`, `invalid-option`
 */
export async function labelMapFolder(options: LabelMapFolderOptions): Promise<EncodedSplits> {
  rejectUnknownKeys('labelMapFolder', options, ['folder', 'holdOut', 'seed']);
  const { folder, holdOut = 0.2, seed = 0 } = options;
  const layout = layoutAmong(await subfolders(folder));
  if (layout === undefined) {
    throw new LocalgradError(
      'invalid-data',
      `Folder '${folder}' has no label maps. Expected the folders images and masks, or leftImg8bit and gtFine (Cityscapes).`,
      { folder },
    );
  }
  const classes = await layout.classes(folder);
  const { trainName, testName } = layoutOf(await subfolders(join(folder, layout.images)));
  if (trainName !== undefined && testName !== undefined) {
    return {
      train: await readPairs(folder, layout, trainName, classes),
      test: await readPairs(folder, layout, testName, classes),
    };
  }
  const all = await readPairs(folder, layout, '', classes);
  const { kept, heldOut } = stratifiedSplit(new Uint8Array(all.size), 1, holdOut, seed);
  return { train: pickEncoded(all, kept), test: pickEncoded(all, heldOut) };
}

async function readClasses(folder: string): Promise<readonly string[]> {
  const path = join(folder, 'classes.txt');
  const refuse = (problem: string, cause?: unknown): never => {
    throw new LocalgradError(
      'invalid-data',
      `${path} ${problem}. It has to name the classes of the label maps, one per line: the first line is the class of value 0.`,
      { path },
      { cause },
    );
  };
  const text = await readFile(path, 'utf8').catch((cause) => refuse(`cannot be read: ${readProblem(cause)}`, cause));
  const names = text.split(/\r?\n/).map((line) => line.trim());
  while (names.at(-1) === '') names.pop();
  if (names.includes('')) refuse(`has no name in line ${names.indexOf('') + 1}`);
  const repeated = names.find((name, index) => names.indexOf(name) < index);
  if (repeated !== undefined) refuse(`names '${repeated}' twice`);
  if (names.length < 2 || names.length > unlabeled) refuse(`has ${names.length} classes; allowed: 2 to ${unlabeled}`);
  return names;
}

async function readPairs(
  folder: string,
  layout: Layout,
  part: string,
  classes: readonly string[],
): Promise<EncodedImages> {
  const images = await filesBelow(join(folder, layout.images, part));
  const end = new RegExp(`${layout.imageEnd}\\.[^.]+$`);
  const found = images.filter((name) => imageFile.test(name) && end.test(name));
  if (found.length === 0) {
    const path = join(folder, layout.images, part);
    throw new LocalgradError('invalid-data', `${path} contains no images. Add images, with their label maps.`, {
      folder: path,
    });
  }
  const maps = new Set(await filesBelow(join(folder, layout.maps, part)));
  const chosen = found.map((image) => {
    const stem = image.replace(end, '');
    const candidates = layout.mapEnds.map((one) => ({ ...one, name: `${stem}${one.end}.png` }));
    const known = candidates.find(({ name }) => maps.has(name));
    const expected = candidates.map(({ name }) => join(folder, layout.maps, part, name));
    return {
      image,
      expected,
      path: join(folder, layout.maps, part, known?.name ?? ''),
      classOf: known?.classOf,
      known,
    };
  });
  const [first, ...others] = chosen.filter(({ known }) => known === undefined);
  if (first !== undefined) {
    const more =
      others.length === 0
        ? ''
        : ` ${others.length} more ${others.length === 1 ? 'image has' : 'images have'} none either.`;
    throw new LocalgradError(
      'invalid-data',
      `${join(folder, layout.images, part, first.image)} has no label map. Expected ${first.expected.join(' or ')}.${more}`,
      { path: first.image, expected: first.expected, images: [first, ...others].map(({ image }) => image) },
    );
  }
  const locate = (index: number) => join(folder, layout.images, part, found[index] ?? '');
  const locateMap = (index: number) => chosen[index]?.path ?? folder;
  const readMap = async (index: number) => {
    const map = readPngValues(await readImage(locateMap(index)), locateMap(index));
    return checkedMap(map, locateMap(index), classes, chosen[index]?.classOf);
  };
  const encoded: EncodedMaps = { read: readMap, readFile: (index) => readImage(locateMap(index)), locate: locateMap };
  return {
    name: folder,
    classes,
    size: found.length,
    labels: new Int32Array(0),
    locate,
    read: (index) => readImage(locate(index)),
    maps: encoded,
  };
}

/** The map with values as classes. @throws LocalgradError `invalid-data` for a value that is none */
function checkedMap(
  map: LabelMap,
  location: string,
  classes: readonly string[],
  classOf = (value: number) => value,
): LabelMap {
  const table = Uint8Array.from({ length: 256 }, (_, value) => classOf(value));
  const values = new Uint8Array(map.values.length);
  const isFound = new Uint8Array(256);
  // Plain loops: functions for each pixel are ten times slower.
  for (let at = 0; at < values.length; at++) {
    const value = table[map.values[at] ?? 0] ?? unlabeled;
    values[at] = value;
    isFound[value] = 1;
  }
  const wrong = isFound.findIndex((found, value) => found === 1 && value >= classes.length && value !== unlabeled);
  if (wrong < 0) return { ...map, values };
  throw new LocalgradError(
    'invalid-data',
    `${location}: a pixel has the value ${wrong}; allowed: 0 to ${classes.length - 1}, the classes, and ${unlabeled}, no class.`,
    { path: location, value: wrong },
  );
}

/** Paths of all files below a folder, relative to it, with forward slashes, sorted. */
async function filesBelow(folder: string, prefix = ''): Promise<string[]> {
  const { files, folders } = await listFolder(join(folder, prefix));
  const found = files.map((name) => `${prefix}${name}`);
  for (const name of folders) found.push(...(await filesBelow(folder, `${prefix}${name}/`)));
  return found.sort();
}
