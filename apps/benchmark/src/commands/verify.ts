import { textTable } from '@localgrad/report';
import { type VerifyReport, verify } from '@localgrad/verify';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Presenter } from '../present.js';
import { threadCountOrAuto } from '../whole-number.js';

export function renderVerify({ backend, tolerance, cases }: VerifyReport): string {
  const failed = cases.filter(({ passed }) => !passed);
  return [
    textTable(
      ['', 'case', 'group', 'compared', 'largest error', 'where'],
      cases.flatMap(({ case: name, groups, passed }) =>
        Object.entries(groups).map(([group, { compared, maxRelativeError, worst }], index) => [
          index === 0 ? (passed ? '✓' : '✗') : '',
          index === 0 ? name : '',
          group,
          String(compared),
          maxRelativeError.toExponential(1),
          maxRelativeError > tolerance ? worst : '',
        ]),
      ),
      ['left', 'left', 'left', 'right', 'right', 'left'],
    ),
    '',
    failed.length === 0
      ? `${cases.length} cases agree with their references on '${backend}' to ${tolerance}.`
      : `${failed.length} of ${cases.length} cases differ from their references on '${backend}' by more than ${tolerance}: ${failed.map(({ case: name }) => name).join(', ')}.`,
  ].join('\n');
}

interface Flags {
  readonly tolerance: number;
  readonly backend: string;
  readonly threads: number | 'auto';
  readonly relaxedSimd: boolean;
  readonly memory: 'residuals' | 'recompute';
  readonly only?: string;
}

export function registerVerify(program: Command, present: Presenter): void {
  program
    .command('verify <files...>')
    .summary('compare with reference tensors of another implementation')
    .description(
      'Rebuilds the networks, methods and decorators that files of reference tensors describe, runs their steps, and prints the largest relative error of each group. Exit code 1 above the tolerance. The format: docs/reference-tensors.md.',
    )
    .option('--tolerance <number>', 'largest relative error that passes', positiveNumber, 1e-4)
    .option('--only <text>', 'run only cases whose names contain this')
    .addOption(
      new Option('--memory <policy>', 'how steps are run').choices(['residuals', 'recompute']).default('residuals'),
    )
    .option('--backend <name>', 'TensorFlow.js backend', 'wasm')
    .option('--threads <number>', 'threads of the backend', threadCountOrAuto, 'auto')
    .option('--no-relaxed-simd', 'disable relaxed SIMD on wasm: slower, but the same bits on every machine')
    .addHelpText('after', '\nExample:\n  localgrad verify reference/mini.safetensors --only mlaan')
    .action((files: string[], flags: Flags) => present(() => verify({ files, ...flags }), renderVerify));
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('Allowed: numbers > 0.');
  return value;
}
