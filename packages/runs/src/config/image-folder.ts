import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type JsonObject, parseExpression } from '@localgrad/core';
import { isFolderPath } from '@localgrad/image-data';

/** A folder of images, given in place of a data set name. */
export interface ImageFolder {
  /** Absolute path. */
  readonly folder: string;
  readonly options: JsonObject;
}

/**
 * The folder that a data-set expression names: `./photos`, `"./my photos"(holdOut: 0.1)`; undefined if it names something
 * else. Paths of files are modules of the project.
 */
export function imageFolderOf(expression: string, project: string = process.cwd()): ImageFolder | undefined {
  const found = folderAt(expression, project);
  if (found !== undefined) return { folder: found, options: {} };
  const { name, options } = parseExpression(expression, 'data set');
  const folder = folderAt(name, project);
  return folder === undefined ? undefined : { folder, options };
}

function folderAt(path: string, project: string): string | undefined {
  if (!isFolderPath(path)) return undefined;
  const folder = resolve(project, path);
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? folder : undefined;
}
