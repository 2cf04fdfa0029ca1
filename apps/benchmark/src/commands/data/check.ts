import { markedPng, writeOwnFile } from '@localgrad/bench';
import { LocalgradError } from '@localgrad/core';
import { type ClassCount, classCounts, contactSheet, encodePng, type ImageDataset } from '@localgrad/data';
import { imageProblems, isFolderPath, openImages } from '@localgrad/image-data';
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

/**
 * Reads a data set, counts its classes and writes a contact sheet.
 *
 * @throws LocalgradError; for a folder, `invalid-data` about all of its images that cannot be used
 */
export async function checkData(
  name: string,
  { output, ...flags }: OpenFlags & { readonly output: string },
): Promise<DataCheck> {
  await checkDataOutput(name, flags, { output, createsParents: false, replacesOwn: true });
  const { train, test } = await openData(name, flags).catch(async (error: unknown) => {
    throw (await allProblems(name, error)) ?? error;
  });
  await writeOwnFile('--output', output, markedPng(await encodePng(contactSheet(train))));
  return { dataset: name, train: describe(train), test: describe(test), contactSheet: output };
}

/** Number of problems that a message lists. */
const mostShown = 20;

/** One error about all images of a folder that cannot be used, where the error is about the first of them. */
async function allProblems(folder: string, error: unknown): Promise<LocalgradError | undefined> {
  const isAboutImage = LocalgradError.isInstance(error) && error.code === 'invalid-data' && 'path' in error.details;
  if (!isAboutImage || !isFolderPath(folder)) return undefined;
  const found = await openImages({ folder }).then(imageProblems, () => undefined);
  if (found === undefined || found.problems.length === 0) return undefined;
  const messages = found.problems.map(({ message }) => message);
  const count = (value: number) => value.toLocaleString('en-US');
  const more = messages.length - mostShown;
  return new LocalgradError(
    'invalid-data',
    [
      `${count(messages.length)} of the ${count(found.images)} images in '${folder}' cannot be used. Replace or remove them:`,
      ...messages.slice(0, mostShown),
      ...(more > 0 ? [`… and ${count(more)} more; --json lists all of them.`] : []),
    ].join('\n  '),
    { images: found.images, problems: messages },
  );
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
