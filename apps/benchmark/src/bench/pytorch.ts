import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LocalgradError } from '@localgrad/core';
import type { BenchStepOptions } from './options.js';

/** What `benchmarks/peers/pytorch_step.py` prints. */
export interface PytorchTiming {
  readonly framework: string;
  readonly threads: number;
  readonly stepMs: { readonly median: number; readonly min: number; readonly max: number };
}

/**
 * The same end-to-end step in PyTorch, in a process of its own, all repeats in a row. `LOCALGRAD_PYTHON` names the
 * interpreter if it is not `python3`.
 *
 * @throws LocalgradError `missing-dependency`, and `invalid-option` for what the script cannot build
 */
export async function timePytorch(options: BenchStepOptions, threads: number): Promise<PytorchTiming> {
  const { backbone, width = 16, batch, image, repeats, warmup, classes } = options;
  const depth = /^resnet(\d+)$/.exec(backbone)?.[1];
  const [height, imageWidth, channels] = image;
  if (depth === undefined || width !== 16 || classes !== 10 || height !== imageWidth || channels !== 3) {
    throw new LocalgradError(
      'invalid-option',
      'The PyTorch peer knows CIFAR ResNets of width 16 on square images of 3 channels and 10 classes only.',
    );
  }
  const script = findUpwards('benchmarks/peers/pytorch_step.py');
  if (script === undefined) {
    throw new LocalgradError(
      'missing-dependency',
      'benchmarks/peers/pytorch_step.py is in the repository, but not in the npm package.',
    );
  }
  const args = Object.entries({ method: 'backprop', depth, batch, threads, repeats, warmup, size: height });
  try {
    const { stdout } = await promisify(execFile)(process.env.LOCALGRAD_PYTHON ?? 'python3', [
      script,
      ...args.flatMap(([name, value]) => [`--${name}`, String(value)]),
    ]);
    return JSON.parse(stdout) as PytorchTiming;
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    throw new LocalgradError('missing-dependency', stderr.trim().split('\n').at(-1) || message, {}, { cause: error });
  }
}

function findUpwards(path: string): string | undefined {
  for (let folder = import.meta.dirname; ; folder = join(folder, '..')) {
    if (existsSync(join(folder, path))) return join(folder, path);
    if (folder === join(folder, '..')) return undefined;
  }
}
