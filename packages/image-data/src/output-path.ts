import { readdir, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { layoutOf, subfolders } from './image-folder.js';
import { isImagenetFolder } from './imagenet.js';

/** Whether a path, which need not exist, is a folder or lies in it. */
export async function isInside(folder: string, path: string): Promise<boolean> {
  return (await partsBelow(folder, path)) !== undefined;
}

/** Whether a new folder at a path would be read as a class of an image folder, which has one folder for each. */
export async function becomesClass(folder: string, path: string): Promise<boolean> {
  const parts = await partsBelow(folder, path);
  if (parts === undefined) return false;
  const names = await readdir(folder);
  if (names.some((name) => name.endsWith('.parquet')) || isImagenetFolder(names)) return false;
  const classes = await subfolders(folder);
  const { trainName, testName } = layoutOf(classes);
  if (trainName === undefined || testName === undefined) return isNewClass(parts, classes);
  const [split = '', ...below] = parts;
  return [trainName, testName].includes(split) && isNewClass(below, await subfolders(join(folder, split)));
}

/** Folders within those of a class are not read. */
function isNewClass([name, ...below]: readonly string[], classes: readonly string[]): boolean {
  return name === undefined || (!name.startsWith('.') && !(below.length > 0 && classes.includes(name)));
}

/** The names that lead from a folder to a path; undefined if it lies elsewhere. */
async function partsBelow(folder: string, path: string): Promise<string[] | undefined> {
  const way = relative(await realpath(folder), await realPathOf(resolve(path)));
  if (way === '') return [];
  const parts = way.split(sep);
  return parts[0] === '..' || resolve(way) === way ? undefined : parts;
}

/** Follows the links of the part that exists. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const parent = dirname(path);
    if (parent === path) throw error;
    return join(await realPathOf(parent), basename(path));
  }
}
