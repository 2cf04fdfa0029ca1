import { restoreUtility } from './compatibility.js';

/** Result of starting a native package in a separate process. */
export type Trial =
  | {
      readonly works: true;
      /** Version of the TensorFlow library. */
      readonly tensorflow: string;
      /** Whether TensorFlow uses a GPU. */
      readonly gpu: boolean;
      /** What TensorFlow's log says about GPUs that it does not use. */
      readonly gpuProblem?: string | undefined;
    }
  | { readonly works: false; readonly message: string; readonly signal?: string | undefined };

/** Lines of TensorFlow's log that say why it uses no GPU. */
const gpuProblems =
  /Could not find cuda drivers|Cannot dlopen some GPU libraries|Could not load dynamic library '[^']+'|failed call to cuInit: .*|CUDA_ERROR_\w+.*|no (?:supported )?devices? (?:found|detected).*|Ignoring visible gpu device .*/i;

/**
 * Starts a native package in a separate process, since an incompatible library may crash the process that loads it.
 *
 * @param folder of the installed package, `@tensorflow/tfjs-node` or `@tensorflow/tfjs-node-gpu`
 */
export async function tryTensorflow(folder: string): Promise<Trial> {
  const { execFile } = await import('node:child_process');
  const script = `${restoreUtility}
    try {
      const backend = require(${JSON.stringify(folder)}).backend();
      const facts = { works: true, tensorflow: backend.binding.TF_Version, gpu: backend.isUsingGpuDevice };
      console.log('\\n' + JSON.stringify(facts));
    } catch (error) { console.log('\\n' + JSON.stringify({ works: false, message: String(error?.message ?? error) })); }`;
  return new Promise((resolve) => {
    const env = { TF_FORCE_GPU_ALLOW_GROWTH: 'true', ...process.env, TF_CPP_MIN_LOG_LEVEL: '0' };
    execFile(process.execPath, ['-e', script], { timeout: 120_000, env }, (error, stdout, stderr) => {
      const last = stdout.trim().split('\n').at(-1) ?? '';
      if (last.startsWith('{')) resolve(withProblem(JSON.parse(last), stderr));
      else resolve({ works: false, message: stderr.trim() || String(error), signal: error?.signal ?? undefined });
    });
  });
}

function withProblem(trial: Trial, log: string): Trial {
  if (!trial.works || trial.gpu) return trial;
  const problem = gpuProblems.exec(log)?.[0].trim();
  return problem === undefined ? trial : { ...trial, gpuProblem: problem };
}
