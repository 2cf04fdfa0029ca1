import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import type * as WasmBackendModule from '@tensorflow/tfjs-backend-wasm';
import { withShorterSpin } from './shorter-spin.js';
import { addFunctions, type ThreadedBackend, type ThreadedModule } from './threaded-module.js';

interface Thread {
  ref?(): void;
  unref?(): void;
  on(event: 'error', listener: (error: Error) => void): void;
  on(event: 'exit', listener: (code: number) => void): void;
  onerror?: unknown;
}

type Factory = (options: {
  wasmBinary: Uint8Array;
  locateFile(path: string): string;
  mainScriptUrlOrBlob: string;
}) => Promise<ThreadedModule<Thread>>;

/** Used on systems that do not list their processors. */
const unknownProcessor = { model: '', speed: 0, times: { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 } };

/**
 * Instantiates the threaded build of the TensorFlow.js wasm backend in Node; upstream starts it in browsers only.
 *
 * Depends on files inside @tensorflow/tfjs-backend-wasm 4.22.0, pinned exactly; callers fall back to the single-threaded
 * build if the files are not as expected.
 */
export async function instantiateThreadedBuild(threads: number, _paths?: string): Promise<ThreadedBackend> {
  const require = createRequire(import.meta.url);
  const { BackendWasm } = (await import('@tensorflow/tfjs-backend-wasm')) as typeof WasmBackendModule;
  const folder = path.join(path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json')), 'wasm-out');
  const script = path.join(folder, 'tfjs-backend-wasm-threaded-simd.js');
  const { wasmWorkerContents }: { wasmWorkerContents: string } = require(
    path.join(folder, 'tfjs-backend-wasm-threaded-simd.worker.js'),
  );
  const temporary = writeTemporary({
    // The file exports the worker's source as a string literal with unescaped line breaks.
    'worker.cjs': wasmWorkerContents.replace(/\n/g, '\\n'),
    'main.cjs': withWorkers(fs.readFileSync(script, 'utf8'), threads),
  });
  const worker = path.join(temporary, 'worker.cjs');
  const main = path.join(temporary, 'main.cjs');
  const { cpus } = os;
  const [processor = unknownProcessor] = cpus();
  try {
    const factory: Factory = require(main);
    // A static initializer sets the size of the thread pool to half the number of processors.
    os.cpus = () => Array.from({ length: 2 * threads }, () => processor);
    const module = await factory({
      wasmBinary: withShorterSpin(fs.readFileSync(path.join(folder, 'tfjs-backend-wasm-threaded-simd.wasm'))),
      locateFile: (file) => (file.endsWith('.worker.js') ? worker : path.join(folder, file)),
      mainScriptUrlOrBlob: script,
    });
    let failure: string | undefined;
    for (const thread of [...(module.PThread?.unusedWorkers ?? []), ...(module.PThread?.runningWorkers ?? [])]) {
      // Emscripten refs a worker whenever it assigns a thread to it, which would keep the process alive.
      thread.ref = () => {};
      thread.unref?.();
      // Replaces Emscripten's handler, which throws where the error cannot be caught.
      thread.onerror = () => {};
      thread.on('error', ({ message }) => {
        failure ??= message;
      });
      thread.on('exit', (code) => {
        failure ??= `it ended with code ${code}`;
      });
    }
    addFunctions(module);
    return { backend: new BackendWasm(module as never), failure: () => failure };
  } finally {
    os.cpus = cpus;
    delete require.cache[main];
    remove(temporary);
  }
}

/**
 * Writes files into a new folder for the time of the start: in the system's temporary folder, or, where TMPDIR names a folder that
 * does not exist or is full, as on some clusters, in another one.
 */
function writeTemporary(files: Readonly<Record<string, string>>): string {
  let problem: unknown;
  for (const parent of new Set([os.tmpdir(), ...(process.platform === 'win32' ? [] : ['/tmp']), process.cwd()])) {
    let folder: string | undefined;
    try {
      folder = fs.mkdtempSync(path.join(parent, 'localgrad-wasm-'));
      for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), content);
      return folder;
    } catch (error) {
      problem ??= error;
      if (folder !== undefined) remove(folder);
    }
  }
  throw problem;
}

/** What cannot be removed, e.g. while a scanner of Windows reads it, does not affect the backend. */
function remove(folder: string): void {
  try {
    fs.rmSync(folder, { recursive: true, force: true });
  } catch {}
}

/** The most threads that the backend uses, including the caller's. */
const mostThreads = 8;

/** The script with one worker per further thread. It starts eight, whatever the number, at 50 ms of a core and 10 MB each. */
function withWorkers(script: string, threads: number): string {
  return script.replace('pthreadPoolSize=8', `pthreadPoolSize=${Math.max(1, Math.min(threads, mostThreads) - 1)}`);
}
