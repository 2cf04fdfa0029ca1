import type * as WasmBackendModule from '@tensorflow/tfjs-backend-wasm';

/** The parts of an instantiated threaded build that `BackendWasm` uses. */
export interface ThreadedModule<Thread> {
  cwrap(name: string, returns: string | null, parameters: readonly string[]): (...values: number[]) => number;
  PThread?: { unusedWorkers?: Thread[]; runningWorkers?: Thread[] };
  tfjs?: object;
}

/** A multi-threaded backend. */
export interface ThreadedBackend {
  readonly backend: WasmBackendModule.BackendWasm;
  /** Why a thread died; undefined if all are alive. The backend would wait forever for a dead thread. */
  failure(): string | undefined;
}

/** Adds the functions that `BackendWasm` calls, as the stock backend does. */
export function addFunctions(module: ThreadedModule<unknown>): void {
  module.tfjs = {
    init: module.cwrap('init', null, []),
    initWithThreadsCount: module.cwrap('init_with_threads_count', null, ['number']),
    getThreadsCount: module.cwrap('get_threads_count', 'number', []),
    registerTensor: module.cwrap('register_tensor', null, ['number', 'number', 'number']),
    disposeData: module.cwrap('dispose_data', null, ['number']),
    dispose: module.cwrap('dispose', null, []),
  };
}
