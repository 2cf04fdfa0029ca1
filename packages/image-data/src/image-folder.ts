import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalgradError, readProblem } from '@localgrad/core';
import { readWholeFile } from '@localgrad/core/folders';
import { stratifiedSplit } from '@localgrad/data';
import { type EncodedImages, type EncodedSplits, pickEncoded } from './encoded-images.js';

export const imageFile = /\.(?:jpe?g|png|webp|gif|tiff?|avif)$/i;
const trainNames = ['train', 'training'];
const testNames = ['test', 'val', 'valid', 'validation', 'testing'];

export interface ImageFolderOptions {
  /**
   * Folder with one folder per class, or with `train` and `test` (or `val`) folders of that form. Files are sorted by name, so
   * that their order does not depend on the machine.
   */
  readonly folder: string;
  /** Fraction of each class held out as test images if there is no test folder. Default 0.2. */
  readonly holdOut?: number;
  /** Seed that selects the held-out images. Default 0. */
  readonly seed?: number;
}

/** Finds the images of a folder; they are read on demand. @throws LocalgradError `missing-dependency`, `invalid-data` */
export async function imageFolder({ folder, holdOut = 0.2, seed = 0 }: ImageFolderOptions): Promise<EncodedSplits> {
  const names = await subfolders(folder);
  const { trainName, testName } = layoutOf(names);
  if (trainName !== undefined && testName !== undefined) {
    const train = await readClasses(join(folder, trainName));
    const test = await readClasses(join(folder, testName), train.classes);
    return { train, test };
  }
  const all = await readClasses(folder);
  const { kept, heldOut } = stratifiedSplit(all.labels, all.classes.length, holdOut, seed);
  return { train: pickEncoded(all, kept), test: pickEncoded(all, heldOut) };
}

/** The folders of training and test images among the subfolders of a folder; a layout without both has one folder per class. */
export function layoutOf(names: readonly string[]): { readonly trainName?: string; readonly testName?: string } {
  const trainName = trainNames.find((name) => names.includes(name));
  const testName = testNames.find((name) => names.includes(name));
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
    const files = classes.includes(name) ? await imagesIn(join(folder, name)) : [];
    if (files.length === 0 && known === undefined) {
      throw new LocalgradError(
        'invalid-data',
        `${join(folder, name)} contains no images (.jpg, .png, .webp, .gif, .tif, .avif). Remove the folder, or add images of its class.`,
        { folder: join(folder, name) },
      );
    }
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

export async function readImage(path: string): Promise<Uint8Array> {
  try {
    return await readWholeFile(path);
  } catch (cause) {
    throw new LocalgradError('invalid-data', `Cannot read '${path}': ${readProblem(cause)}.`, { path }, { cause });
  }
}

async function imagesIn(folder: string): Promise<string[]> {
  const entries = await list(folder);
  const files = entries.filter((entry) => !entry.isDirectory() && imageFile.test(entry.name));
  return files.map(({ name }) => join(folder, name)).sort();
}

/** Names of the folders that can be classes, sorted. @throws LocalgradError `missing-dependency`, `invalid-data` */
export async function subfolders(folder: string): Promise<string[]> {
  const entries = await list(folder);
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
}

/** Entries of a folder. @throws LocalgradError `missing-dependency`, `invalid-data` */
export async function list(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      throw new LocalgradError('missing-dependency', `There is no folder '${folder}'.`, { folder });
    }
    throw new LocalgradError('invalid-data', `Folder '${folder}' cannot be read: ${message}.`, { folder });
  }
}
