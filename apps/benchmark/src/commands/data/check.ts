import { markedPng, writeOwnFile } from '@localgrad/bench';
import { type ClassCount, classCounts, contactSheet, encodePng, type ImageDataset } from '@localgrad/data';
import { textTable } from '@localgrad/report';
import { type OpenFlags, openData } from './open.js';
import { checkDataOutput } from './output.js';

interface CheckedPart {
  readonly size: number;
  readonly imageShape: readonly number[];
  readonly classes: readonly ClassCount[];
}

export interface DataCheck {
  readonly dataset: string;
  readonly train: CheckedPart;
  readonly test: CheckedPart;
  readonly contactSheet: string;
}

/** Reads a data set, counts its classes and writes a contact sheet. @throws LocalgradError */
export async function checkData(
  name: string,
  { output, ...flags }: OpenFlags & { readonly output: string },
): Promise<DataCheck> {
  await checkDataOutput(name, flags, { output, createsParents: false, replacesOwn: true });
  const { train, test } = await openData(name, flags);
  await writeOwnFile('--output', output, markedPng(await encodePng(contactSheet(train))));
  return { dataset: name, train: describe(train), test: describe(test), contactSheet: output };
}

function describe(dataset: ImageDataset): CheckedPart {
  return { size: dataset.size, imageShape: dataset.imageShape, classes: classCounts(dataset) };
}

export function renderCheck({ dataset, train, test, contactSheet: file }: DataCheck): string {
  const rows = train.classes.map(({ name, count }, label) => [name, `${count}`, `${test.classes[label]?.count ?? 0}`]);
  const total = ['all', `${train.size}`, `${test.size}`];
  return [
    `${dataset}: ${train.size} training and ${test.size} test images of ${train.imageShape.join('×')}`,
    '',
    textTable(['class', 'training', 'test'], [...rows, total], ['left', 'right', 'right']),
    '',
    `contact sheet: ${file}${rows.length === 0 ? '' : ' (one row per class, in this order)'}`,
  ].join('\n');
}
