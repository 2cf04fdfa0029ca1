import { access } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type DatasetSource,
  datasetFolder,
  datasetNames,
  datasetSource,
  datasetSources,
  type Pipeline,
  pipelines,
} from '@localgrad/data';

interface ListedDataset {
  readonly name: string;
  readonly description: string;
  readonly license: string;
  /** Whether all files that `data fetch` downloads are there. */
  readonly fetched: boolean;
}

export async function listDatasets(): Promise<{ readonly datasets: readonly ListedDataset[] }> {
  const sources = Object.entries(datasetSources);
  const datasets = await Promise.all(
    sources.map(async ([name, { description, license, files }]) => {
      const folder = await datasetFolder(name);
      const required = files.filter((file) => file.optional !== true);
      const found = await Promise.all(required.map((file) => exists(join(folder, file.name))));
      return { name, description, license, fetched: found.every(Boolean) };
    }),
  );
  return { datasets };
}

export function renderList({ datasets }: { readonly datasets: readonly ListedDataset[] }): string {
  return [
    ...datasets.map(({ name, description, fetched }) => `${fetched ? '✓' : ' '} ${name.padEnd(20)} ${description}`),
    '',
    '✓ available. Download others with localgrad data fetch <name>.',
    'A folder of images (./photos), of Parquet files, or with the archives of ImageNet works wherever a name does.',
  ].join('\n');
}

interface DatasetInfo extends DatasetSource {
  readonly name: string;
  /** Folder of the files; null if the images are part of localgrad. */
  readonly folder: string | null;
  /** Published pipelines for it. */
  readonly pipelines: Readonly<Record<string, Pipeline>>;
}

/** @throws LocalgradError `unknown-name` */
export async function datasetInfo(name: string): Promise<DatasetInfo> {
  const source = datasetSource(name);
  const isForIt = ([key]: [string, Pipeline]) => key === name || (key.endsWith(`-${name}`) && !isOther(key, name));
  const found = Object.fromEntries(Object.entries<Pipeline>(pipelines).filter(isForIt));
  return { name, ...source, folder: source.files.length === 0 ? null : await datasetFolder(name), pipelines: found };
}

/** `predsim-fashion-mnist` ends with `mnist`, too. */
function isOther(pipeline: string, name: string): boolean {
  return datasetNames.some((other) => other.length > name.length && pipeline.endsWith(other));
}

export function renderInfo({
  description,
  homepage,
  license,
  citation,
  files,
  folder,
  pipelines: found,
}: DatasetInfo): string {
  return [
    description,
    `  homepage   ${homepage}`,
    `  license    ${license}`,
    `  cite       ${citation}`,
    `  folder     ${folder ?? 'none: the images are part of localgrad'}`,
    ...files.map(
      ({ name, md5, optional }) => `  file       ${name}, MD5 ${md5}${optional === true ? ', optional' : ''}`,
    ),
    ...Object.entries(found).map(
      ([name, pipeline]) => `  pipeline   ${name}: ${describe(pipeline)}; ${pipeline.source}`,
    ),
  ].join('\n');
}

function describe({ augmentation, normalization }: Pipeline): string {
  const { pad = 0, padding = 'zero', flip = false } = augmentation;
  const list = (values: readonly number[]) => values.map((value) => Number(value.toFixed(4))).join(', ');
  return [
    pad === 0 ? 'no crop' : `random crop, ${padding} padding of ${pad}`,
    flip ? 'flip' : 'no flip',
    normalization === 'measured'
      ? 'normalization measured'
      : `mean ${list(normalization.mean)}, deviation ${list(normalization.deviation)}`,
  ].join(', ');
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
