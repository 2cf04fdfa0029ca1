import { type ConvertReport, convertToFolder } from '@localgrad/data';
import { isFolderPath } from '@localgrad/image-data';
import type { Terminal } from '../../terminal.js';
import { type OpenFlags, openData } from './open.js';
import { checkDataOutput } from './output.js';

/** Writes a data set as PNG files. @throws LocalgradError */
export async function convertData(
  name: string,
  { output, ...flags }: OpenFlags & { readonly output: string },
  terminal: Terminal,
): Promise<ConvertReport> {
  await checkDataOutput(name, flags, { output, createsParents: true });
  const splits = await openData(name, flags);
  // From here on an interruption also removes what was written.
  const { signal } = terminal;
  return convertToFolder(splits, output, signal === undefined ? {} : { signal });
}

export function renderConvert({ output, train, test }: ConvertReport): string {
  const path = isFolderPath(output) ? output : `./${output}`;
  return `Wrote ${train} training and ${test} test images to ${output}. Train on them with --dataset ${path}.`;
}
