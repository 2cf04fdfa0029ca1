import type { Trial } from '@localgrad/tensorflow-kernels';
import { gpuBuildOf, isDriverSince } from './build.js';
import type { NvidiaGpu } from './nvidia.js';

export interface Verdict {
  readonly available: boolean;
  readonly reason: string;
  readonly howToGetIt?: string;
}

const setup =
  'Run `localgrad setup tensorflow`: it builds the binding with the library from a PyPI wheel or an archive.';
const setupGpu =
  'Run `localgrad setup tensorflow --gpu`: it builds the binding with TensorFlow 2.18.1, CUDA 12.5 and cuDNN 9.3 from PyPI (2.4 GB; Linux on x64).';
const webgpuInstead =
  'The webgpu backend uses this GPU without CUDA: `npm install @tensorflow/tfjs-backend-webgpu@4.22.0 webgpu@0.6.2`.';

function setupOf(packageName: string): string {
  return packageName.endsWith('-gpu') ? setupGpu : setup;
}

function unavailable(reason: string, howToGetIt: string): Verdict {
  return { available: false, reason, howToGetIt };
}

/** Explains why a native package does not work, and how to fix it. */
export function explainFailure(packageName: string, { message, signal }: Extract<Trial, { works: false }>): Verdict {
  const cure = setupOf(packageName);
  if (signal !== undefined) {
    const illegal = signal === 'SIGILL' ? ' This processor lacks instructions that the library was built with.' : '';
    return unavailable(`${packageName} crashed on startup (${signal}).${illegal}`, cure);
  }
  if (/tfjs_binding\.node\) can not be found/s.test(message)) {
    return unavailable(
      `${packageName} is installed, but its native binding is missing: its install script did not run.`,
      cure,
    );
  }
  const library = /(lib[\w.+-]+): cannot open shared object file/.exec(message)?.[1];
  if (library !== undefined && /^lib(cudart|cublas|cublasLt|cufft|curand|cusolver|cusparse|cudnn)/.test(library)) {
    return unavailable(
      `${library} is missing: this build of TensorFlow requires the libraries of its version of CUDA.`,
      `${setupGpu} Or put them on LD_LIBRARY_PATH. ${webgpuInstead}`,
    );
  }
  if (library !== undefined) return unavailable(`${packageName} does not find ${library}.`, cure);
  const symbol = /version `(GLIBCXX?_[\d.]+)' not found/.exec(message)?.[1];
  if (symbol !== undefined) {
    return unavailable(
      `${packageName} was built for a newer system: ${symbol} is missing.`,
      `${cure} It is compiled for this system.`,
    );
  }
  if (/isNullOrUndefined/.test(message)) {
    return unavailable(
      `${packageName} calls util.isNullOrUndefined, which Node 23 removed.`,
      "Use Node 20 or 22, or set require('node:util').isNullOrUndefined before the import, as localgrad does.",
    );
  }
  return unavailable(`${packageName} cannot be loaded: ${message.split('\n')[0]}`, cure);
}

/** Verdict on a package that loads; the GPU package may not have found a usable GPU. */
export function judge(packageName: string, trial: Trial, wantsGpu: boolean, gpus: readonly NvidiaGpu[]): Verdict {
  if (!trial.works) return explainFailure(packageName, trial);
  if (!wantsGpu) return { available: true, reason: `TensorFlow ${trial.tensorflow}.` };
  const { cuda, cudnn, driver, newestCapability } = gpuBuildOf(trial.tensorflow);
  const build = `TensorFlow ${trial.tensorflow} with CUDA ${cuda} and cuDNN ${cudnn}`;
  const [gpu] = gpus;
  if (trial.gpu) {
    const found = gpu === undefined ? '' : `; driver ${gpu.driver}, compute capability ${capability(gpu)}`;
    return { available: true, reason: `${build}${found}.` };
  }
  const log = trial.gpuProblem === undefined ? '' : ` Its log: ${trial.gpuProblem.replace(/\.?$/, '.')}`;
  if (gpu === undefined) {
    return unavailable(
      `${build} loads, but no NVIDIA driver responds (nvidia-smi).${log}`,
      `It requires an NVIDIA GPU with driver ${driver} or newer.`,
    );
  }
  const name = `${gpu.name} (compute capability ${capability(gpu)}, driver ${gpu.driver})`;
  if (gpu.computeCapability > newestCapability) {
    return unavailable(`${name} is too new for ${build}.`, `${setupGpu} ${webgpuInstead}`);
  }
  if (!isDriverSince(gpu.driver, driver)) {
    return unavailable(
      `The driver of ${name} is too old for ${build}.`,
      `It requires driver ${driver} or newer. ${webgpuInstead}`,
    );
  }
  return unavailable(
    `${build} loads, but cannot use ${name}.${log}`,
    `Its log, with TF_CPP_MIN_LOG_LEVEL=0, may say more. ${setupGpu} ${webgpuInstead}`,
  );
}

/** Verdict on a package that is not installed. */
export function explainAbsence(packageName: string, wantsGpu: boolean, gpus: readonly NvidiaGpu[]): Verdict {
  const absent = `${packageName} is not installed`;
  if (!wantsGpu) {
    return unavailable(
      `${absent}.`,
      `\`npm install ${packageName}@4.22.0\`, or, if its download is blocked, \`localgrad setup tensorflow\`.`,
    );
  }
  const [gpu] = gpus;
  if (gpu === undefined) {
    return { available: false, reason: `No NVIDIA driver responds (nvidia-smi), and ${absent}.` };
  }
  return unavailable(
    `${gpu.name} (compute capability ${capability(gpu)}, driver ${gpu.driver}) was found, but ${absent}.`,
    `${setupGpu} ${webgpuInstead}`,
  );
}

/** `9.0`, as NVIDIA writes it */
function capability({ computeCapability }: NvidiaGpu): string {
  return computeCapability.toFixed(1);
}
