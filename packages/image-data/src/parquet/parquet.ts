import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LocalgradError, memberOf, readProblem, rejectUnknownKeys, shown } from '@localgrad/core';
import { rejectDevice } from '@localgrad/core/folders';
import { stratifiedSplit } from '@localgrad/data';
import { asyncBufferFromFile, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { type EncodedImages, type EncodedSplits, pickEncoded } from '../encoded-images.js';
import { checkContent, checkFooter } from './check-parquet.js';
import { type ClassNames, sameClasses } from './class-names.js';
import { compressors } from './codecs.js';
import { type Split, splitOf } from './split-names.js';

export interface ParquetOptions {
  /**
   * Folder with Parquet files named as on Hugging Face: `train-00000-of-00001.parquet`, `test-…` or `validation-…`; also
   * `mnist_test.parquet`, `eval0.parquet` and the like. Files without such a word are training files.
   */
  readonly folder: string;
  /** Name of the label column. Default: the only one of `label`, `labels`, `fine_label`, or the one with class names. */
  readonly labels?: string;
  /** Fraction held out as test images if there is no test file. Default 0.2. */
  readonly holdOut?: number;
  readonly seed?: number;
}

/** Most classes of a file that does not name them. */
const mostClasses = 2 ** 17;

const imageColumns = ['image', 'img'];
const labelColumns = ['label', 'labels', 'fine_label'];

/** A data set in Hugging Face's Parquet layout; the compressed images are in memory. @throws LocalgradError `invalid-data`, `invalid-option` */
export async function parquetFolder(options: ParquetOptions): Promise<EncodedSplits> {
  rejectUnknownKeys('parquetFolder', options, ['folder', 'labels', 'holdOut', 'seed']);
  const { folder, holdOut = 0.2, seed = 0 } = options;
  const names = (await readdir(folder)).filter((name) => name.endsWith('.parquet')).sort();
  const pathsOf = (split: Split) => names.filter((name) => splitOf(name) === split).map((name) => join(folder, name));
  const testPaths = pathsOf('test');
  const held = testPaths.length > 0 ? testPaths : pathsOf('validation');
  const trainPaths = pathsOf('train');
  if (trainPaths.length === 0) {
    throw new LocalgradError(
      'invalid-data',
      `Folder '${folder}' contains no training file such as train-00000-of-00001.parquet.`,
    );
  }
  const { images: train, classes } = await readParquet(trainPaths, options.labels);
  if (held.length > 0) return { train, test: (await readParquet(held, options.labels, classes)).images };
  const { kept, heldOut } = stratifiedSplit(train.labels, train.classes.length, holdOut, seed);
  return { train: pickEncoded(train, kept), test: pickEncoded(train, heldOut) };
}

/** Reads files one row group at a time. */
async function readParquet(
  paths: readonly string[],
  labelColumn: string | undefined,
  known?: ClassNames,
): Promise<{ readonly images: EncodedImages; readonly classes: ClassNames }> {
  const images: Uint8Array[] = [];
  const labels: number[] = [];
  const starts: { readonly path: string; readonly first: number }[] = [];
  let classes = known;
  for (const path of paths) {
    starts.push({ path, first: images.length });
    try {
      await rejectDevice(path);
      const file = await asyncBufferFromFile(path);
      await inFile(path, () => checkFooter(file));
      const metadata = await parquetMetadataAsync(file);
      const columns = chooseColumns(path, metadata, labelColumn);
      await inFile(path, () => checkContent(file, metadata, [columns.image, columns.label]));
      classes = sameClasses(path, columns.names, classes);
      let rowStart = 0;
      for (const { num_rows } of metadata.row_groups) {
        const rowEnd = rowStart + Number(num_rows);
        const rows = await parquetReadObjects({
          file,
          metadata,
          compressors,
          rowStart,
          rowEnd,
          utf8: false,
          columns: [columns.image, columns.label],
        });
        for (const [index, row] of rows.entries()) {
          const place = `${path}, row ${rowStart + index}`;
          images.push(imageBytes(place, row[columns.image]));
          labels.push(labelOf(place, row[columns.label]));
        }
        rowStart = rowEnd;
      }
    } catch (error) {
      if (LocalgradError.isInstance(error)) throw error;
      throw new LocalgradError(
        'invalid-data',
        `${path}: expected a Parquet file, found '${readProblem(error)}'.`,
        { path },
        { cause: error },
      );
    }
  }
  const highest = labels.reduce((most, label) => Math.max(most, label), -1);
  const numbered = () => Array.from({ length: Math.min(highest + 1, mostClasses) }, (_, label) => `${label}`);
  const names = classes?.names ?? numbered();
  const wrong = labels.findIndex((label) => label >= names.length);
  const locate = (index: number): string => {
    const { path = '', first = 0 } = starts.findLast((start) => start.first <= index) ?? {};
    return `${path}, row ${index - first}`;
  };
  if (wrong >= 0) {
    throw new LocalgradError(
      'invalid-data',
      `${locate(wrong)}: expected a label below ${names.length}, found ${labels[wrong]}.`,
    );
  }
  return {
    images: {
      name: basename(paths[0] ?? ''),
      classes: names,
      size: images.length,
      labels: Int32Array.from(labels),
      locate,
      read: async (index) => images[index] ?? new Uint8Array(0),
    },
    classes: classes ?? { names },
  };
}

/** Adds the path to an error about a file's content. */
async function inFile(path: string, check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (error) {
    if (!LocalgradError.isInstance(error)) throw error;
    const message = `${path}: expected a Parquet file, found ${error.message}.`;
    throw new LocalgradError(error.code, message, { path }, { cause: error });
  }
}

interface Columns {
  readonly image: string;
  readonly label: string;
  /** Class names, from the metadata of Hugging Face. */
  readonly names?: readonly string[];
}

function chooseColumns(path: string, metadata: FileMetaData, wanted: string | undefined): Columns {
  const [root, ...rest] = metadata.schema;
  // Top-level columns: an image column is a group, followed by its two fields.
  const columns: string[] = [];
  for (let at = 0, left = root?.num_children ?? 0; left > 0 && at < rest.length; left--) {
    columns.push(rest[at]?.name ?? '');
    at += 1 + (rest[at]?.num_children ?? 0);
  }
  const features = featuresOf(metadata);
  const choose = (what: string, choices: readonly string[]): string => {
    const found = choices.find((choice) => columns.includes(choice));
    if (found !== undefined) return found;
    throw new LocalgradError(
      'invalid-data',
      `${path}: expected a column of ${what} (${choices.join(', ')}), found columns ${columns.join(', ')}.`,
      { path, columns },
    );
  };
  const named = Object.keys(features).filter((column) => namesOf(features[column]) !== undefined);
  const image = choose('images', [
    ...imageColumns,
    ...columns.filter((column) => typeOf(features[column]) === 'Image'),
  ]);
  const label = choose('labels', wanted === undefined ? [...labelColumns, ...named] : [wanted]);
  const names = namesOf(features[label]);
  return { image, label, ...(names === undefined ? {} : { names }) };
}

type Features = Readonly<Record<string, unknown>>;

function featuresOf({ key_value_metadata }: FileMetaData): Features {
  const text = key_value_metadata?.find(({ key }) => key === 'huggingface')?.value;
  if (text === undefined) return {};
  try {
    return memberOf(memberOf(JSON.parse(text), 'info'), 'features') as Features;
  } catch {
    return {};
  }
}

function namesOf(feature: unknown): readonly string[] | undefined {
  const names = memberOf(feature, 'names');
  return Array.isArray(names) && names.length > 0 ? names.map(String) : undefined;
}

function typeOf(feature: unknown): unknown {
  return memberOf(feature, '_type');
}

function imageBytes(place: string, value: unknown): Uint8Array {
  const bytes = value instanceof Uint8Array ? value : memberOf(value, 'bytes');
  if (bytes instanceof Uint8Array && bytes.length > 0) return bytes;
  const path = typeof value === 'string' ? value : memberOf(value, 'path');
  const found = typeof path === 'string' ? `only the path ${shown(path)}: write the images into the file` : 'none';
  throw new LocalgradError('invalid-data', `${place}: expected the bytes of an image, found ${found}.`);
}

function labelOf(place: string, value: unknown): number {
  const label = typeof value === 'bigint' ? Number(value) : value;
  if (typeof label === 'number' && Number.isInteger(label) && label >= 0) return label;
  throw new LocalgradError('invalid-data', `${place}: expected a label, an integer from 0, found ${String(value)}.`);
}
