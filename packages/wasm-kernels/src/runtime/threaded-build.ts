import type * as WasmBackendModule from '@tensorflow/tfjs-backend-wasm';

/** What `BackendWasm` expects of an instantiated module. */
interface ThreadedModule {
  cwrap(name: string, returns: string | null, parameters: readonly string[]): (...values: number[]) => number;
  PThread?: { unusedWorkers?: Thread[]; runningWorkers?: Thread[] };
  tfjs?: object;
}

interface Thread {
  ref?(): void;
  unref?(): void;
  on(event: 'error', listener: (error: Error) => void): void;
  on(event: 'exit', listener: (code: number) => void): void;
  onerror?: unknown;
}

/** A backend with threads of its own. */
export interface ThreadedBackend {
  readonly backend: WasmBackendModule.BackendWasm;
  /** Why a thread is dead, if one is: the backend would wait for it for ever. */
  failure(): string | undefined;
}

type Factory = (options: { locateFile(path: string): string; mainScriptUrlOrBlob: string }) => Promise<ThreadedModule>;

/**
 * Instantiates the threaded build of TensorFlow.js' wasm backend in Node, which upstream only starts in browsers.
 *
 * Rests on files inside @tensorflow/tfjs-backend-wasm 4.22.0, pinned exactly; whoever calls falls back to the plain
 * build if they are not as expected.
 */
export async function instantiateThreadedBuild(threads: number): Promise<ThreadedBackend> {
  const [{ createRequire }, path, fs, { default: os }] = await Promise.all([
    import('node:module'),
    import('node:path'),
    import('node:fs'),
    import('node:os'),
  ]);
  const require = createRequire(import.meta.url);
  const { BackendWasm } = (await import('@tensorflow/tfjs-backend-wasm')) as typeof WasmBackendModule;
  const folder = path.join(path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json')), 'wasm-out');
  const script = path.join(folder, 'tfjs-backend-wasm-threaded-simd.js');
  const factory = require(script) as Factory;
  const { wasmWorkerContents } = require(path.join(folder, 'tfjs-backend-wasm-threaded-simd.worker.js')) as {
    wasmWorkerContents: string;
  };
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'localgrad-wasm-'));
  const worker = path.join(temporary, 'worker.cjs');
  // The file exports the worker's source with its line breaks inside a string literal unescaped.
  fs.writeFileSync(worker, wasmWorkerContents.replace(/\n/g, '\\n'));
  const { cpus } = os;
  try {
    // A static initializer sizes the thread pool at half the number of processors that it sees.
    os.cpus = () => Array.from({ length: 2 * threads }, () => cpus()[0] as ReturnType<typeof cpus>[number]);
    const module = await factory({
      locateFile: (file) => (file.endsWith('.worker.js') ? worker : path.join(folder, file)),
      mainScriptUrlOrBlob: script,
    });
    let failure: string | undefined;
    for (const thread of [...(module.PThread?.unusedWorkers ?? []), ...(module.PThread?.runningWorkers ?? [])]) {
      // Emscripten refs a worker whenever it hands it a thread, which would keep the process alive for ever.
      thread.ref = () => {};
      thread.unref?.();
      // In place of Emscripten's handler, which throws where nobody can catch it.
      thread.onerror = () => {};
      thread.on('error', ({ message }) => {
        failure ??= message;
      });
      thread.on('exit', (code) => {
        failure ??= `it ended with code ${code}`;
      });
    }
    module.tfjs = {
      init: module.cwrap('init', null, []),
      initWithThreadsCount: module.cwrap('init_with_threads_count', null, ['number']),
      getThreadsCount: module.cwrap('get_threads_count', 'number', []),
      registerTensor: module.cwrap('register_tensor', null, ['number', 'number', 'number']),
      disposeData: module.cwrap('dispose_data', null, ['number']),
      dispose: module.cwrap('dispose', null, []),
    };
    return { backend: new BackendWasm(module as never), failure: () => failure };
  } finally {
    os.cpus = cpus;
    fs.rmSync(temporary, { recursive: true, force: true });
  }
}
