import { LocalgradError, rejectUnknownKeys, requireOption } from '@localgrad/core';
import {
  type KernelRuntime,
  poolingReplacements,
  registerTrainingKernels,
  replaceStockKernels,
  SharedRuntimes,
} from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { prepareProcess } from './compatibility.js';
import { createTensorflowKernels } from './kernels/index.js';
import { type NativeBackend, OperationRunner } from './native-backend.js';
import { stockConvolutions } from './stock-convolutions.js';
import { Variables } from './variables.js';

export interface TensorflowOptions {
  /** Number of threads per operation; `auto`: one per core, or those of a running TensorFlow. Default `auto`. */
  readonly threads?: number | 'auto';
  /**
   * Package to import, or the URL of its entry file: `@tensorflow/tfjs-node` or `@tensorflow/tfjs-node-gpu`. Default
   * `@tensorflow/tfjs-node`.
   */
  readonly module?: string;
  /**
   * Whether a GPU may round the inputs of products to TF32 (10 bits): faster on tensor cores, less accurate. Default
   * false.
   */
  readonly tf32?: boolean;
}

export type TensorflowFacts = {
  /** Version of the TensorFlow library. */
  readonly tensorflow: string;
  readonly threads: number;
  /** Whether TensorFlow uses a GPU. */
  readonly gpu: boolean;
  /** Whether the GPU may round to TF32; absent without a GPU. */
  readonly tf32?: boolean;
  /** Whether convolutions are those of oneDNN, which round differently; absent with a GPU. */
  readonly oneDnn?: boolean;
};

export interface TensorflowRuntime extends KernelRuntime {
  readonly facts: TensorflowFacts;
}

const backendName = 'tensorflow';
const runtimes = new SharedRuntimes<TensorflowRuntime>();
/** Environment variable with the process id and the number of threads of its TensorFlow, which all worker threads share. */
const inUseVariable = 'LOCALGRAD_TENSORFLOW_THREADS';
let tf32InUse: boolean | undefined;

/**
 * Makes native TensorFlow the current backend, with training kernels built from TensorFlow operations.
 *
 * A running backend is shared. `dispose` removes the kernels; the library stays loaded.
 *
 * @throws LocalgradError `backend-unavailable`; `misuse` if TensorFlow already runs with another number of
 * threads, or another `tf32`
 */
export async function startTensorflow(options: TensorflowOptions = {}): Promise<TensorflowRuntime> {
  rejectUnknownKeys('startTensorflow', options, ['threads', 'module', 'tf32']);
  const { threads = 'auto', module = '@tensorflow/tfjs-node', tf32 = false } = options;
  requireOption(
    threads === 'auto' || (Number.isInteger(threads) && threads >= 1),
    'startTensorflow',
    'threads',
    threads,
    "'auto' or a positive integer",
  );
  const used = await setThreads(threads);
  setGpuOptions(tf32);
  // TensorFlow uses oneDNN by itself on processors with VNNI only; on others, convolutions take up to twice the time without.
  process.env.TF_ENABLE_ONEDNN_OPTS ??= '1';
  await prepareProcess();
  await import(/* @vite-ignore */ module);
  if (tf.findBackend(backendName) === null) {
    throw new LocalgradError(
      'backend-unavailable',
      `${module} uses a different copy of TensorFlow.js than this program (${tf.version.tfjs}). Install both in the same project, with the same version.`,
    );
  }
  if (!(await tf.setBackend(backendName))) {
    throw new LocalgradError('backend-unavailable', `The backend of ${module} could not be started.`);
  }
  const backend = tf.backend() as NativeBackend;
  return runtimes.share(backend, () => {
    const run = new OperationRunner(backend);
    const variables = new Variables(run);
    const { kernels, oneDnn } = createTensorflowKernels(run, variables);
    const unregister = registerTrainingKernels(kernels, backend);
    const restore = replaceStockKernels(backendName, {
      ...stockConvolutions(),
      ...poolingReplacements(backendName, kernels),
    });
    return {
      name: backendName,
      kernels,
      facts: {
        tensorflow: backend.binding.TF_Version,
        threads: used,
        gpu: backend.isUsingGpuDevice,
        ...(oneDnn === undefined ? { tf32 } : { oneDnn }),
      },
      dispose() {
        restore();
        unregister();
        variables.dispose();
        run.constants.dispose();
      },
    };
  });
}

/** Sets the number of threads, which TensorFlow reads once, at start-up. */
async function setThreads(threads: number | 'auto'): Promise<number> {
  const { availableParallelism } = await import('node:os');
  const threadsInUse = threadsOfProcess();
  const wanted = threads === 'auto' ? (threadsInUse ?? availableParallelism()) : threads;
  if (threadsInUse !== undefined && threadsInUse !== wanted) {
    throw new LocalgradError(
      'misuse',
      `TensorFlow already runs with ${threadsInUse} threads in this process, and cannot change to ${wanted}.`,
    );
  }
  process.env[inUseVariable] = `${process.pid} ${wanted}`;
  process.env.TF_NUM_INTRAOP_THREADS = String(wanted);
  return wanted;
}

/** Threads of this process's TensorFlow; undefined before it has started. A child process inherits the variable, but not the library. */
function threadsOfProcess(): number | undefined {
  const [processId, threads] = (process.env[inUseVariable] ?? '').split(' ').map(Number);
  return processId === process.pid ? threads : undefined;
}

/** Sets what the libraries of CUDA read once, at start-up. */
function setGpuOptions(tf32: boolean): void {
  if (tf32InUse !== undefined && tf32InUse !== tf32) {
    throw new LocalgradError(
      'misuse',
      `TensorFlow already runs ${tf32InUse ? 'with' : 'without'} TF32 in this process, and cannot change that.`,
    );
  }
  tf32InUse = tf32;
  // Otherwise TensorFlow takes all of the GPU's memory, which other processes may need, and which cannot be measured.
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true';
  if (tf32) delete process.env.NVIDIA_TF32_OVERRIDE;
  else process.env.NVIDIA_TF32_OVERRIDE = '0';
}
