import type { Trial } from '@localgrad/tensorflow-kernels';
import type { NvidiaGpu } from './nvidia.js';

export interface Verdict {
  readonly available: boolean;
  readonly reason: string;
  readonly howToGetIt?: string;
}

const setup =
  'Run `localgrad setup tensorflow`: it builds the binding with the library from a PyPI wheel or an archive.';
const webgpuInstead =
  'The webgpu backend uses this GPU without CUDA: `npm install @tensorflow/tfjs-backend-webgpu@4.22.0 webgpu@0.6.2`.';

/** CUDA 11.2, used by the vendor's build of TensorFlow 2.9.1, supports GPUs up to Ampere (compute capability 8.x). */
const newestCapability = 9;

/** Explains why a native package does not work, and how to fix it. */
export function explainFailure(packageName: string, { message, signal }: Extract<Trial, { works: false }>): Verdict {
  const say = (reason: string, howToGetIt: string): Verdict => ({ available: false, reason, howToGetIt });
  if (signal !== undefined) {
    const illegal = signal === 'SIGILL' ? ' This processor lacks instructions that the library was built with.' : '';
    return say(`${packageName} crashed on startup (${signal}).${illegal}`, setup);
  }
  if (/tfjs_binding\.node\) can not be found/s.test(message)) {
    return say(
      `${packageName} is installed, but its native binding is missing: its install script did not run.`,
      setup,
    );
  }
  if (/lib(cudart|cublas|cublasLt|cufft|curand|cusolver|cusparse|cudnn)[^:]*: cannot open/.test(message)) {
    const library = /(lib[\w.-]+): cannot open/.exec(message)?.[1] ?? 'a CUDA library';
    return say(
      `${library} is missing: this build requires CUDA 11.2 and cuDNN 8.1.`,
      `Install them and put them on LD_LIBRARY_PATH. ${webgpuInstead}`,
    );
  }
  const library = /(lib[\w.+-]+): cannot open shared object file/.exec(message)?.[1];
  if (library !== undefined) return say(`${packageName} does not find ${library}.`, setup);
  const symbol = /version `(GLIBCXX?_[\d.]+)' not found/.exec(message)?.[1];
  if (symbol !== undefined) {
    return say(
      `${packageName} was built for a newer system: ${symbol} is missing.`,
      `${setup} It is compiled for this system.`,
    );
  }
  if (/isNullOrUndefined/.test(message)) {
    return say(
      `${packageName} calls util.isNullOrUndefined, which Node 23 removed.`,
      "Use Node 20 or 22, or set require('node:util').isNullOrUndefined before the import, as localgrad does.",
    );
  }
  return say(`${packageName} cannot be loaded: ${message.split('\n')[0]}`, setup);
}

/** Verdict on a package that loads; the GPU package may not have found a usable GPU. */
export function judge(packageName: string, trial: Trial, wantsGpu: boolean, gpus: readonly NvidiaGpu[]): Verdict {
  if (!trial.works) return explainFailure(packageName, trial);
  if (!wantsGpu || trial.gpu) return { available: true, reason: `TensorFlow ${trial.tensorflow}.` };
  const newest = gpus.find(({ computeCapability }) => computeCapability >= newestCapability);
  if (newest !== undefined) {
    return {
      available: false,
      reason: `${newest.name} is too new for CUDA 11.2, which this build requires.`,
      howToGetIt: webgpuInstead,
    };
  }
  return {
    available: false,
    reason: 'TensorFlow loads, but finds no usable GPU; set TF_CPP_MIN_LOG_LEVEL=0 to see its log.',
    howToGetIt: `It requires CUDA 11.2 and cuDNN 8.1 on LD_LIBRARY_PATH, and an NVIDIA driver ≥ 450.80. ${webgpuInstead}`,
  };
}

/** Verdict on a package that is not installed. */
export function explainAbsence(packageName: string, wantsGpu: boolean, gpus: readonly NvidiaGpu[]): Verdict {
  const install = `npm install ${packageName}@4.22.0`;
  const absent = `${packageName} is not installed`;
  if (!wantsGpu) {
    const howToGetIt = `\`${install}\`, or, if its download is blocked, \`localgrad setup tensorflow\`.`;
    return { available: false, reason: `${absent}.`, howToGetIt };
  }
  const [gpu] = gpus;
  if (gpu === undefined) {
    return { available: false, reason: `No NVIDIA driver responds (nvidia-smi), and ${absent}.` };
  }
  const found = `${gpu.name} with driver ${gpu.driver} was found, but ${absent}.`;
  return gpu.computeCapability >= newestCapability
    ? { available: false, reason: `${found} It is too new for the package's CUDA 11.2.`, howToGetIt: webgpuInstead }
    : { available: false, reason: found, howToGetIt: `\`${install}\`, with CUDA 11.2 and cuDNN 8.1.` };
}
