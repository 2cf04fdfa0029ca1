import { type SetupOptions, type SetupReport, setUpTensorflow } from '@localgrad/setup-tensorflow';
import type { Command } from 'commander';
import type { Presenter } from '../present.js';
import type { Terminal } from '../terminal.js';

export function renderSetup({ package: name, folder, tensorflow, built, library }: SetupReport): string {
  return [
    built ? `Built ${name} on TensorFlow ${tensorflow}.` : `${name} already works, on TensorFlow ${tensorflow}.`,
    `  package  ${folder}`,
    ...(library === null ? [] : [`  library  ${library}`]),
    '',
    'Commands may now pick it; `--backend tensorflow` selects it. Run this again after `npm ci`: it takes seconds.',
  ].join('\n');
}

export function registerSetup(program: Command, terminal: Terminal, present: Presenter): void {
  const setup = program.command('setup').summary('install native libraries where their own download is blocked');
  setup
    .command('tensorflow')
    .summary("native TensorFlow for the processor ('tensorflow')")
    .description(
      "Installs @tensorflow/tfjs-node into this project when its own download is blocked: takes TensorFlow's C library from a PyPI wheel, an archive or a mirror, and compiles the package's binding, which needs a C++ compiler. If `npm install @tensorflow/tfjs-node` works, you don't need this command.",
    )
    .option(
      '--from <source>',
      'pypi, or a path or URL of a .whl of tensorflow-cpu or a .tar.gz of libtensorflow',
      'pypi',
    )
    .option('--force', 'rebuild a working installation', false)
    .option('--cache <folder>', "folder for the libraries (default: localgrad in the user's cache folder)")
    .addHelpText(
      'after',
      '\nExamples:\n  localgrad setup tensorflow\n  localgrad setup tensorflow --from ./tensorflow_cpu-2.15.0-cp311-cp311-manylinux_2_17_x86_64.whl',
    )
    .action((flags: SetupOptions) =>
      present(() => setUpTensorflow(flags, (line) => void terminal.stderr.write(`${line}\n`)), renderSetup),
    );
}
