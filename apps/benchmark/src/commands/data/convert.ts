import { existsSync } from 'node:fs';
import { LocalgradError } from '@localgrad/core';
import { type ConvertReport, convertToFolder } from '@localgrad/data';
import { isFolderPath, isInside } from '@localgrad/image-data';
import { type OpenFlags, openData } from './open.js';

/** Writes a data set as PNG files. @throws LocalgradError */
export async function convertData(
  name: string,
  { output, ...flags }: OpenFlags & { readonly output: string },
): Promise<ConvertReport> {
  if (isFolderPath(name) && existsSync(name) && (await isInside(name, output))) {
    throw new LocalgradError(
      'invalid-option',
      `--output: '${output}' is inside '${name}', whose images it would become a part of; choose a folder outside of it.`,
      { output },
    );
  }
  return convertToFolder(await openData(name, flags), output);
}

export function renderConvert({ output, train, test }: ConvertReport): string {
  const path = isFolderPath(output) ? output : `./${output}`;
  return `Wrote ${train} training and ${test} test images to ${output}. Train on them with --dataset ${path}.`;
}
