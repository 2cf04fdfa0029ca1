import { type SetupOptions, type SetupReport, setUpTensorflow } from '@localgrad/setup-tensorflow';
import type { Command } from 'commander';
import type { Presenter } from '../present.js';
import type { Terminal } from '../terminal.js';

export function renderSetup({ package: name, folder, tensorflow, gpu, built, library }: SetupReport): string {
  const isGpuPackage = name.endsWith('-gpu');
  const backend = isGpuPackage ? 'tensorflow-gpu' : 'tensorflow';
  return [
    built ? `Built ${name} on TensorFlow ${tensorflow}.` : `${name} already works, on TensorFlow ${tensorflow}.`,
    `  package  ${folder}`,
    ...(library === null ? [] : [`  library  ${library}`]),
    '',
    ...(isGpuPackage && !gpu ? ['It does not use a GPU of this machine; `localgrad doctor` says why.'] : []),
    `Commands may now pick it; \`--backend ${backend}\` selects it. Run this again after \`npm ci\`: it takes seconds.`,
  ].join('\n');
}

export function registerSetup(program: Command, terminal: Terminal, present: Presenter): void {
  const setup = program.command('setup').summary('install native libraries where their own download is blocked');
  setup
    .command('tensorflow')
    .summary("native TensorFlow for the processor ('tensorflow'), or with --gpu for NVIDIA GPUs ('tensorflow-gpu')")
    .description(
      "Installs @tensorflow/tfjs-node into this project when its own download is blocked: takes TensorFlow's C library from a PyPI wheel, an archive or a mirror, and compiles the package's binding, which needs a C++ compiler. If `npm install @tensorflow/tfjs-node` works, you don't need this command. With --gpu it builds @tensorflow/tfjs-node-gpu on a TensorFlow that supports today's GPUs, with the libraries of CUDA and cuDNN beside it; only NVIDIA's driver must be installed.",
    )
    .option('--gpu', 'for NVIDIA GPUs: 2.4 GB to download, 4.0 GB on disk (Linux on x64)', false)
    .option(
      '--from <source>',
      'pypi, or a path or URL of a .whl of tensorflow-cpu or a .tar.gz of libtensorflow',
      'pypi',
    )
    .option('--from-dir <folder>', 'folder that contains the wheels; nothing is downloaded')
    .option('--index <url>', 'package index (default: PIP_INDEX_URL, or PyPI)')
    .option('--force', 'rebuild a working installation', false)
    .option('--cache <folder>', "folder for the libraries (default: localgrad in the user's cache folder)")
    .addHelpText(
      'after',
      '\nExamples:\n  localgrad setup tensorflow\n  localgrad setup tensorflow --gpu\n  localgrad setup tensorflow --from ./tensorflow_cpu-2.15.0-cp311-cp311-manylinux_2_17_x86_64.whl',
    )
    .action((flags: SetupOptions) =>
      present(() => setUpTensorflow(flags, (line) => void terminal.stderr.write(`${line}\n`)), renderSetup),
    );
}
