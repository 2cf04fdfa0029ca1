import { join } from 'node:path';
import { LocalgradError, readProblem, rejectUnknownKeys } from '@localgrad/core';
import { readWholeFile } from '@localgrad/core/folders';
import { stratifiedSplit } from '@localgrad/data';
import { type EncodedImages, type EncodedSplits, pickEncoded } from './encoded-images.js';
import { type FolderContent, listFolder } from './list-folder.js';

const formats = '.jpg, .png, .webp, .gif, .tif, .avif';
export const imageFile = /\.(?:jpe?g|jpe|jfif|png|webp|gif|tiff?|avif)$/i;
/** Images that the decoder does not know, some of which torchvision reads. */
const foreignFile = /\.(?:bmp|ppm|pgm|pbm|heic|heif|jp2|jxl|tga)$/i;
const trainNames = ['train', 'training'];
const testNames = ['test', 'val', 'valid', 'validation', 'testing'];

export interface ImageFolderOptions {
  /**
   * Folder with one folder per class, or with `train` and `test` (or `val`) folders of that form. Files are sorted by name, so
   * that their order does not depend on the machine. Links are followed; hidden files and folders are not read.
   */
  readonly folder: string;
  /** Fraction of each class held out as test images if there is no test folder. Default 0.2. */
  readonly holdOut?: number;
  /** Seed that selects the held-out images. Default 0. */
  readonly seed?: number;
}

/**
 * Finds the images of a folder; they are read on demand.
 *
 * @throws LocalgradError `missing-dependency`, `invalid-data`, `invalid-option`
 */
export async function imageFolder(options: ImageFolderOptions): Promise<EncodedSplits> {
  rejectUnknownKeys('imageFolder', options, ['folder', 'holdOut', 'seed']);
  const { folder, holdOut = 0.2, seed = 0 } = options;
  const names = await subfolders(folder);
  const { trainName, testName } = layoutOf(names);
  if (trainName !== undefined && testName !== undefined) {
    const train = await readClasses(join(folder, trainName));
    const test = await readClasses(join(folder, testName), train.classes);
    return { train, test };
  }
  await rejectSingleSplit(folder, trainName ?? testName);
  const all = await readClasses(folder);
  const { kept, heldOut } = stratifiedSplit(all.labels, all.classes.length, holdOut, seed);
  return { train: pickEncoded(all, kept), test: pickEncoded(all, heldOut) };
}

/** Without its counterpart, a folder `train` is a class; one of classes is a mistake. @throws LocalgradError `invalid-data` */
async function rejectSingleSplit(folder: string, split: string | undefined): Promise<void> {
  if (split === undefined) return;
  const path = join(folder, split);
  const { files, folders } = await listFolder(path);
  if (folders.length === 0 || files.some((name) => imageFile.test(name))) return;
  const missing = trainNames.includes(split.toLowerCase()) ? testNames : trainNames;
  throw new LocalgradError(
    'invalid-data',
    `Folder '${folder}' has a folder '${split}' of classes, but none named ${missing.join(', ')}. Add one, or use '${folder}/${split}' as the folder: a fraction of its images is then held out for tests.`,
    { folder },
  );
}

/** The folders of training and test images among the subfolders of a folder; a layout without both has one folder per class. */
export function layoutOf(names: readonly string[]): { readonly trainName?: string; readonly testName?: string } {
  const find = (wanted: string) => names.find((name) => name.toLowerCase() === wanted);
  const first = (choices: readonly string[]) => choices.map(find).find((name) => name !== undefined);
  const [trainName, testName] = [first(trainNames), first(testNames)];
  return { ...(trainName === undefined ? {} : { trainName }), ...(testName === undefined ? {} : { testName }) };
}

/** Reads one folder per class; if `classes` are given, exactly those. */
async function readClasses(folder: string, known?: readonly string[]): Promise<EncodedImages> {
  const classes = await subfolders(folder);
  if (classes.length === 0) {
    throw new LocalgradError(
      'invalid-data',
      `Folder '${folder}' contains no folders. Expected one folder of images per class, e.g. ${join(folder, 'cat', '001.jpg')}.`,
      { folder },
    );
  }
  const unknown = known === undefined ? undefined : classes.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new LocalgradError(
      'invalid-data',
      `${join(folder, unknown)}: class '${unknown}' has no training images. Allowed: ${(known ?? []).slice(0, 10).join(', ')}.`,
      { folder },
    );
  }
  const order = known ?? classes;
  const paths: string[] = [];
  const labels: number[] = [];
  for (const [label, name] of order.entries()) {
    const path = join(folder, name);
    const content = classes.includes(name) ? await listFolder(path) : { files: [], folders: [] };
    const files = imagesOf(path, content);
    if (files.length === 0 && known === undefined) throw await withoutImages(path, content, `${folder}/${name}`);
    if (files.length > 0) await rejectImagesBelow(path, content);
    for (const file of files) {
      paths.push(file);
      labels.push(label);
    }
  }
  const locate = (index: number) => paths[index] ?? folder;
  return {
    name: folder,
    classes: order,
    size: paths.length,
    labels: Int32Array.from(labels),
    locate,
    read: (index) => readImage(locate(index)),
  };
}

/** Images in folders below that of a class would be left out. @throws LocalgradError `invalid-data` */
async function rejectImagesBelow(folder: string, { folders }: FolderContent): Promise<void> {
  for (const name of folders) {
    const path = await firstImageBelow(join(folder, name));
    if (path === undefined) continue;
    const message = `${path}: images in folders below that of a class would be left out. Move them to '${folder}', or out of the data set.`;
    throw new LocalgradError('invalid-data', message, { path });
  }
}

async function firstImageBelow(folder: string): Promise<string | undefined> {
  const { files, folders } = await listFolder(folder);
  const file = files.find((name) => imageFile.test(name));
  if (file !== undefined) return join(folder, file);
  for (const name of folders) {
    const found = await firstImageBelow(join(folder, name));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** An error for the folder of a class; it may be one that itself contains a data set. */
async function withoutImages(
  folder: string,
  { files, folders }: FolderContent,
  shownFolder: string,
): Promise<LocalgradError> {
  const hasParquet = files.some((name) => name.endsWith('.parquet'));
  const [inner = ''] = folders;
  const path = join(folder, inner);
  const hasClasses = inner !== '' && imagesOf(path, await listFolder(path)).length > 0;
  const cure =
    hasParquet || hasClasses
      ? `It contains ${hasParquet ? 'Parquet files' : 'folders of images'}: use '${shownFolder}' as the folder.`
      : 'Remove the folder, or add images of its class.';
  return new LocalgradError('invalid-data', `${folder} contains no images (${formats}). ${cure}`, { folder });
}

export async function readImage(path: string): Promise<Uint8Array> {
  try {
    return await readWholeFile(path);
  } catch (cause) {
    throw new LocalgradError('invalid-data', `Cannot read '${path}': ${readProblem(cause)}.`, { path }, { cause });
  }
}

/** @throws LocalgradError `invalid-data` for images that cannot be decoded: without them, the data set would be another one */
function imagesOf(folder: string, { files }: FolderContent): string[] {
  const foreign = files.find((name) => foreignFile.test(name));
  if (foreign !== undefined) {
    const path = join(folder, foreign);
    const message = `${path}: images of this format cannot be read; allowed: ${formats}. Convert them, or move them out of the folder.`;
    throw new LocalgradError('invalid-data', message, { path });
  }
  return files.filter((name) => imageFile.test(name)).map((name) => join(folder, name));
}

/** Names of the folders that can be classes, sorted. @throws LocalgradError `missing-dependency`, `invalid-data` */
export async function subfolders(folder: string): Promise<readonly string[]> {
  return (await listFolder(folder)).folders;
}
