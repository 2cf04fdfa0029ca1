import { LocalgradError } from '@localgrad/core';
import type { DatasetSplits, ImageDataset } from '../dataset.js';
import { type Found, findDistribution, visitMembers } from '../formats/members.js';
import { type CifarRecords, readNames, readRecords } from './cifar-records.js';
import { type CifarName, type CifarVersion, cifarVersions } from './cifar-versions.js';
import { interleavePlanes } from './images.js';

const shape = [32, 32, 3] as const;
const imageBytes = 32 * 32 * 3;

/** Finds CIFAR-10 or CIFAR-100 in one of its original forms: archives or unpacked folders, binary or Python version. */
export async function findCifar(name: CifarName, folder: string): Promise<Found | undefined> {
  return findDistribution(
    folder,
    cifarVersions[name].map(({ distribution }) => distribution),
  );
}

/**
 * Reads CIFAR-10 or CIFAR-100, 50,000 and 10,000 color images of 32×32, from an archive, without unpacking it, or from its
 * unpacked folder; binary or Python version. CIFAR-100 has its 100 fine labels.
 *
 * @throws LocalgradError `missing-dependency`, `invalid-data`
 */
export async function readCifar(name: CifarName, folder: string, trainSize = 50_000): Promise<DatasetSplits> {
  const found = await findCifar(name, folder);
  const howToGetIt = `Download ${cifarVersions[name][0]?.distribution.archives[0]} from https://www.cs.toronto.edu/~kriz/cifar.html (University of Toronto), or run: localgrad data fetch ${name}.`;
  const version = cifarVersions[name].find(({ distribution }) => distribution === found?.distribution);
  if (found === undefined || version === undefined) {
    const searched = cifarVersions[name].flatMap(({ distribution }) => distribution.archives).join(', ');
    const message = `'${folder}' does not contain ${name}: neither ${searched}, nor the unpacked files.`;
    throw new LocalgradError('missing-dependency', `${message} ${howToGetIt}`, { folder });
  }
  const parts = { train: emptyPart(trainSize), test: emptyPart(trainSize / 5) };
  let classes: readonly string[] = [];
  await visitMembers(found, howToGetIt, (member, file) => {
    if (member === version.names) {
      classes = readNames(file, version);
      return;
    }
    const place = placeOf(version, member);
    const part = parts[place.part];
    const count = part.size / place.of;
    store(readRecords(file, version, count), part, place.index * count);
  });
  const dataset = (part: 'train' | 'test'): ImageDataset => ({ name, classes, imageShape: shape, ...parts[part] });
  return { config: { dataset: name }, train: dataset('train'), test: dataset('test') };
}

interface Part {
  readonly size: number;
  readonly images: Uint8Array<ArrayBuffer>;
  readonly labels: Uint8Array<ArrayBuffer>;
}

function emptyPart(size: number): Part {
  return { size, images: new Uint8Array(size * imageBytes), labels: new Uint8Array(size) };
}

/** The images in a file: the `index`-th part `of` several. */
function placeOf({ train, test }: CifarVersion, member: string) {
  const files = member === test ? [test] : train;
  const part: 'train' | 'test' = member === test ? 'test' : 'train';
  return { part, index: files.indexOf(member), of: files.length };
}

function store({ labels, pixels, pixelStart, stride }: CifarRecords, part: Part, first: number): void {
  for (let index = 0; index < labels.length; index++) {
    part.labels[first + index] = labels[index] ?? 0;
    interleavePlanes(pixels, pixelStart + index * stride, part.images, (first + index) * imageBytes, shape);
  }
}
