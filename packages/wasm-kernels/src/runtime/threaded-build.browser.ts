import { addFunctions, type ThreadedBackend, type ThreadedModule } from './threaded-module.js';
import { wasmFiles } from './wasm-files.js';

type Factory = (options: {
  locateFile(path: string): string;
  mainScriptUrlOrBlob: Blob;
}) => Promise<ThreadedModule<Worker>>;

/** Milliseconds after which a start counts as failed: a thread that cannot be started never reports back. */
const startTimeout = 30_000;

/**
 * Instantiates the threaded build of the TensorFlow.js wasm backend in a web worker of a cross-origin isolated page. Its
 * scripts are embedded as text, which minifiers do not change; TensorFlow.js would use the text of its own bundled function.
 *
 * @param paths URL of the folder with the .wasm files; default: where the bundler puts them
 */
export async function instantiateThreadedBuild(threads: number, paths?: string): Promise<ThreadedBackend> {
  const [{ BackendWasm }, { script, workerScript }] = await Promise.all([
    import('@tensorflow/tfjs-backend-wasm'),
    import('../generated/threaded-backend.js'),
  ]);
  // A static initializer sets the size of the thread pool to half the number of processors.
  const source = script
    .replaceAll('navigator["hardwareConcurrency"]', String(2 * threads))
    .replace('pthreadPoolSize=8', `pthreadPoolSize=${threads}`);
  const urls = [
    `${source}\nexport default WasmBackendModuleThreadedSimd;`,
    // The workers read the script in its original form.
    workerScript,
  ].map((text) => URL.createObjectURL(scriptOf(text)));
  const [main = '', worker = ''] = urls;
  const files = wasmFiles(paths);
  try {
    const { default: factory }: { default: Factory } = await import(/* @vite-ignore */ /* webpackIgnore: true */ main);
    const started = factory({
      locateFile: (file) => (file.endsWith('.worker.js') ? worker : files['tfjs-backend-wasm-threaded-simd.wasm']),
      mainScriptUrlOrBlob: scriptOf(source),
    });
    const module = await withinTime(started);
    let failure: string | undefined;
    for (const thread of [...(module.PThread?.unusedWorkers ?? []), ...(module.PThread?.runningWorkers ?? [])]) {
      thread.onerror = (event) => {
        failure ??= event.message;
      };
    }
    addFunctions(module);
    return { backend: new BackendWasm(module as never), failure: () => failure };
  } finally {
    for (const url of urls) URL.revokeObjectURL(url);
  }
}

function scriptOf(text: string): Blob {
  return new Blob([text], { type: 'text/javascript' });
}

async function withinTime<T>(started: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${startTimeout / 1000} s`)), startTimeout);
  });
  try {
    return await Promise.race([started, late]);
  } finally {
    clearTimeout(timer);
  }
}
