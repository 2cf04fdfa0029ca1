import { LocalgradError } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { findOptional, importOptional } from '../optional-module.js';
import type { Trial } from './diagnose.js';
import type { NativeBackend } from './native-backend.js';

const backendName = 'tensorflow';

/** Asked of Node by TensorFlow.js 4.22.0; Node 23 took it away. */
const restoreUtility = "const util = require('node:util'); util.isNullOrUndefined ??= (value) => value == null;";

/** TensorFlow's start-up lines go to stderr past any option of ours. */
const quiet = { TF_CPP_MIN_LOG_LEVEL: '2' };

/** Starts the package in a process of its own: a wrong library may end the process that loads it. */
export async function tryPackage(packageName: string): Promise<Trial | undefined> {
  const folder = await findOptional(packageName);
  if (folder === undefined) return undefined;
  const { execFile } = await import('node:child_process');
  const script = `${restoreUtility}
    try {
      const backend = require(${JSON.stringify(folder)}).backend();
      const facts = { works: true, tensorflow: backend.binding.TF_Version, gpu: backend.isUsingGpuDevice };
      console.log('\\n' + JSON.stringify(facts));
    } catch (error) { console.log('\\n' + JSON.stringify({ works: false, message: String(error?.message ?? error) })); }`;
  return new Promise((resolve) => {
    const env = { ...quiet, ...process.env };
    execFile(process.execPath, ['-e', script], { timeout: 120_000, env }, (error, stdout, stderr) => {
      const last = stdout.trim().split('\n').at(-1) ?? '';
      if (last.startsWith('{')) resolve(JSON.parse(last) as Trial);
      else resolve({ works: false, message: stderr.trim() || String(error), signal: error?.signal ?? undefined });
    });
  });
}

let threadsInUse: string | undefined;

/**
 * Loads the package and makes its backend the current one.
 *
 * @throws LocalgradError `backend-unavailable`, `misuse` when other threads are asked for than TensorFlow started with
 */
export async function loadPackage(packageName: string, threads: number | 'auto'): Promise<NativeBackend> {
  await setThreads(threads);
  for (const [name, value] of Object.entries(quiet)) process.env[name] ??= value;
  const util = (await import('node:util')).default as unknown as Record<string, unknown>;
  util.isNullOrUndefined ??= (value: unknown) => value == null;
  await importOptional(packageName);
  if (tf.findBackend(backendName) === null) {
    throw new LocalgradError(
      'backend-unavailable',
      `${packageName} uses another copy of TensorFlow.js than this program (${tf.version.tfjs}): install both in the same project, with one version.`,
    );
  }
  if (!(await tf.setBackend(backendName))) {
    throw new LocalgradError('backend-unavailable', `The backend of ${packageName} could not be started.`);
  }
  return tf.backend() as NativeBackend;
}

async function setThreads(threads: number | 'auto'): Promise<void> {
  const { availableParallelism } = await import('node:os');
  const wanted = String(threads === 'auto' ? (threadsInUse ?? availableParallelism()) : threads);
  if (threadsInUse !== undefined && threadsInUse !== wanted) {
    throw new LocalgradError(
      'misuse',
      `TensorFlow runs in this process with ${threadsInUse} threads already, and cannot change to ${wanted}.`,
    );
  }
  threadsInUse = wanted;
  process.env.TF_NUM_INTRAOP_THREADS = wanted;
}
