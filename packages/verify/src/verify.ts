import { setImmediate } from 'node:timers/promises';
import { selectBackend } from '@localgrad/backends';
import { LocalgradError, readProblem } from '@localgrad/core';
import { readWholeFile } from '@localgrad/core/folders';
import type { MemoryPolicy } from '@localgrad/engine';
import { ReferenceTensors } from './compare.js';
import { type ReferenceCase, readReferenceFile } from './format.js';
import type { GroupResult, Groups } from './groups.js';
import { runLossCase, runOptimizerCase } from './other-cases.js';
import { runPlanCase } from './plan-case.js';
import { runTrainingCase } from './training-case.js';

export interface VerifyOptions {
  readonly files: readonly string[];
  readonly tolerance: number;
  readonly backend: string;
  readonly threads: number | 'auto';
  /** Relaxed SIMD on wasm, where the engine supports it. Default true. */
  readonly relaxedSimd?: boolean;
  /** Memory policy of the steps; default `residuals`. */
  readonly memory?: MemoryPolicy;
  /** Run only cases whose names contain this text; default: all. */
  readonly only?: string;
}

export interface CaseResult {
  readonly file: string;
  readonly case: string;
  readonly passed: boolean;
  readonly maxRelativeError: number;
  readonly groups: Readonly<Record<string, GroupResult>>;
}

export interface VerifyReport {
  readonly backend: string;
  readonly tolerance: number;
  readonly passed: boolean;
  readonly cases: readonly CaseResult[];
}

/** Runs every case of the files. @throws LocalgradError for files and cases that cannot be run at all */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  const { files, tolerance, only = '' } = options;
  // Reads all files before running a case, so that a corrupt file is reported immediately.
  const read = await Promise.all(
    files.map(async (path) => {
      const { file, cases } = readReferenceFile(await bytesOf(path), path);
      return { path, specs: cases, tensors: new ReferenceTensors(file, path) };
    }),
  );
  const backend = await selectBackend(options.backend, {
    threads: options.threads,
    relaxedSimd: options.relaxedSimd ?? true,
  });
  try {
    const cases: CaseResult[] = [];
    for (const { path, specs, tensors } of read) {
      for (const spec of specs.filter((candidate) => candidate.case.includes(only))) {
        // Cases never return to the event loop, in which signals are received.
        await setImmediate();
        const groups = (await runCase(spec, tensors, options.memory ?? 'residuals')).results();
        const maxRelativeError = Math.max(0, ...Object.values(groups).map((group) => group.maxRelativeError));
        const passed = maxRelativeError <= tolerance;
        cases.push({ file: path, case: spec.case, passed, maxRelativeError, groups });
      }
    }
    if (cases.length === 0) {
      const known = read.flatMap(({ specs }) => specs.map((spec) => spec.case));
      throw new LocalgradError(
        'invalid-option',
        `No case has '${only}' in its name; available cases: ${known.join(', ')}.`,
      );
    }
    return { backend: backend.name, tolerance, passed: cases.every(({ passed }) => passed), cases };
  } finally {
    backend.dispose();
  }
}

function runCase(spec: ReferenceCase, tensors: ReferenceTensors, memory: MemoryPolicy): Promise<Groups> {
  if (spec.kind === 'training') return runTrainingCase(spec, tensors, memory);
  if (spec.kind === 'plan') return runPlanCase(spec);
  return spec.kind === 'loss' ? runLossCase(spec, tensors) : runOptimizerCase(spec, tensors);
}

async function bytesOf(file: string): Promise<Uint8Array> {
  try {
    return await readWholeFile(file);
  } catch (error) {
    throw new LocalgradError('invalid-data', `Cannot read '${file}': ${readProblem(error)}.`, { file });
  }
}
