import { type BackendHandle, selectBackend } from '@localgrad/backends';

/**
 * Starts the webgpu backend on the GPU of this machine, or on an emulated one; undefined, with a message, if there is none.
 * `eval "$(tools/webgpu/software-gpu.sh)"` provides one.
 */
export async function startGpu(): Promise<BackendHandle | undefined> {
  try {
    return await selectBackend('webgpu');
  } catch (error) {
    console.warn(`SKIPPED: tests of recorded steps need a GPU: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}
