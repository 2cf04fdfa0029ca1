import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { hasNullDevice } from './null-device.fixture.js';

/**
 * Starts the webgpu backend on the GPU of this machine, or on an emulated one; undefined, with a message, if there is none.
 * `eval "$(tools/webgpu/software-gpu.sh)"` provides one.
 */
export async function startGpu(): Promise<BackendHandle | undefined> {
  if (hasNullDevice()) {
    console.warn(
      'SKIPPED: this process has the null device; npm run test:backend -- webgpu runs these tests on a GPU.',
    );
    return undefined;
  }
  try {
    return await selectBackend('webgpu');
  } catch (error) {
    console.warn(`SKIPPED: tests of recorded steps need a GPU: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}
