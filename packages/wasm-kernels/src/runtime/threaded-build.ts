import type * as WasmBackendModule from '@tensorflow/tfjs-backend-wasm';

/** What `BackendWasm` expects of an instantiated module. */
interface ThreadedModule {
  cwrap(name: string, returns: string | null, parameters: readonly string[]): (...values: number[]) => number;
  PThread?: { unusedWorkers?: Unreferencable[]; runningWorkers?: Unreferencable[] };
  tfjs?: object;
}

interface Unreferencable {
  ref?(): void;
  unref?(): void;
}

type Factory = (options: { locateFile(path: string): string; mainScriptUrlOrBlob: string }) => Promise<ThreadedModule>;

/**
 * Instantiates the threaded build of TensorFlow.js' wasm backend in Node, which upstream only starts in browsers.
 *
 * Rests on files inside @tensorflow/tfjs-backend-wasm 4.22.0, pinned exactly; whoever calls falls back to the plain
 * build if they are not as expected.
 */
export async function instantiateThreadedBuild(threads: number): Promise<WasmBackendModule.BackendWasm> {
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
    for (const thread of [...(module.PThread?.unusedWorkers ?? []), ...(module.PThread?.runningWorkers ?? [])]) {
      // Emscripten refs a worker whenever it hands it a thread, which would keep the process alive for ever.
      thread.ref = () => {};
      thread.unref?.();
    }
    module.tfjs = {
      init: module.cwrap('init', null, []),
      initWithThreadsCount: module.cwrap('init_with_threads_count', null, ['number']),
      getThreadsCount: module.cwrap('get_threads_count', 'number', []),
      registerTensor: module.cwrap('register_tensor', null, ['number', 'number', 'number']),
      disposeData: module.cwrap('dispose_data', null, ['number']),
      dispose: module.cwrap('dispose', null, []),
    };
    return new BackendWasm(module as never);
  } finally {
    os.cpus = cpus;
    fs.rmSync(temporary, { recursive: true, force: true });
  }
}
