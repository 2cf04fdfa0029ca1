import { type FetchReport, fetchDataset, type ImageSize } from '@localgrad/data';
import { type Command, InvalidArgumentError } from 'commander';
import { extentsOf } from '../../extents.js';
import type { Presenter } from '../../present.js';
import type { Terminal } from '../../terminal.js';
import { checkData, renderCheck } from './check.js';
import { convertData, renderConvert } from './convert.js';
import { datasetInfo, listDatasets, renderInfo, renderList } from './list.js';
import { progressLine } from './progress.js';

interface FetchFlags {
  readonly folder?: string;
  readonly fromDir?: string;
  readonly offline: boolean;
  readonly extra: boolean;
  readonly json?: boolean;
}

export function registerData(program: Command, terminal: Terminal, present: Presenter): void {
  const data = program.command('data').summary('list, download, check and convert data sets');
  data
    .command('list')
    .summary('list the data sets, and which are downloaded')
    .action(() => present(listDatasets, renderList));
  data
    .command('info')
    .summary('show source, license, files and published pipelines of a data set')
    .argument('<name>', 'name of a data set')
    .action((name: string) => present(() => datasetInfo(name), renderInfo));
  data
    .command('fetch')
    .summary('download a data set, resume an interrupted download, or check the files')
    .description(
      'Downloads the original files and compares them with the published hashes. Interrupted? Run the same command again to resume. Existing files are kept; a file with other content is never overwritten.',
    )
    .argument('<name>', 'name of a data set')
    .option('--folder <path>', "folder for the files (default: in the user's cache, where --dataset finds them)")
    .option('--from-dir <path>', 'copy the files from this folder instead of downloading them')
    .option('--offline', 'only check the files, download nothing', false)
    .option('--extra', "also the optional files (SVHN's extra images, 1.3 GB)", false)
    .addHelpText(
      'after',
      '\nExamples:\n  localgrad data fetch cifar10\n  localgrad data fetch svhn --from-dir ~/Downloads',
    )
    .action(async (name: string, { extra, json: _, ...flags }: FetchFlags) => {
      const progress = progressLine(terminal);
      const signal = terminal.signal === undefined ? {} : { signal: terminal.signal };
      const fetching = { ...flags, ...signal, optional: extra, onProgress: progress.show };
      await present(() => fetchDataset(name, fetching).finally(progress.end), renderFetch);
    });
  data
    .command('check')
    .summary('decode a data set or a folder of images: class counts and a contact sheet')
    .description(
      'Reads every image of a data set, counts the images of each class, and writes the first images of each class as a PNG.',
    )
    .argument('<dataset>', 'name of a data set, or path of a folder of images, e.g. ./photos')
    .option('--folder <path>', "folder with the data set's files (default: where data fetch puts them)")
    .option(
      '--size <pixels>',
      'size to which the images of a folder are resized and cropped, e.g. 96 or 512x1024',
      pixels,
    )
    .option('--output <file>', 'contact sheet to write', 'contact-sheet.png')
    .addHelpText('after', '\nExamples:\n  localgrad data check cifar10\n  localgrad data check ./photos --size 96')
    .action((name: string, flags: { folder?: string; size?: ImageSize; output: string }) =>
      present(() => checkData(name, flags), renderCheck),
    );
  data
    .command('convert')
    .summary('write a data set as a folder of PNG files')
    .description(
      'Writes train/<class>/*.png and test/<class>/*.png: lossless, for other tools or as ./folder for --dataset.',
    )
    .argument('<dataset>', 'name of a data set, or path of a folder of images, e.g. ./photos')
    .requiredOption('--output <path>', 'folder to create')
    .option('--folder <path>', "folder with the data set's files (default: where data fetch puts them)")
    .option('--size <pixels>', 'size to which the images are resized, e.g. 96 or 512x1024', pixels)
    .addHelpText('after', '\nExample:\n  localgrad data convert ./photos --size 96 --output photos-96')
    .action((name: string, flags: { folder?: string; size?: ImageSize; output: string }) =>
      present(() => convertData(name, flags, terminal), renderConvert),
    );
}

function renderFetch({ dataset, folder, files }: FetchReport): string {
  if (files.length === 0) return `'${dataset}' is part of localgrad: there is nothing to download.`;
  const lines = files.map(
    ({ name, bytes, state }) => `  ${name.padEnd(28)} ${megabytes(bytes).padStart(10)}  ${state}`,
  );
  return [`Complete in ${folder}; every file has the published hash.`, ...lines].join('\n');
}

function megabytes(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function pixels(text: string): ImageSize {
  const [height = 0, width = height, ...rest] = extentsOf(text);
  const isSide = (value: number) => Number.isInteger(value) && value >= 1 && value <= 4096;
  if (isSide(height) && isSide(width) && rest.length === 0) return height === width ? height : [height, width];
  throw new InvalidArgumentError('Allowed: integers from 1 to 4096, or height x width, e.g. 512x1024.');
}
