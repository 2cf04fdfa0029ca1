import { messageOf } from '@localgrad/core';
import { type Absence, type Gpu, providedGpu } from './gpu.js';

const library = '@tensorflow/tfjs-backend-webgpu';

/** The WebGPU entry point of the browser, which pages have only in a secure context. */
export async function findGpu(): Promise<Gpu | Absence> {
  const gpu = providedGpu();
  if (gpu !== undefined) return gpu;
  if (globalThis.isSecureContext === false) {
    return {
      reason: 'WebGPU requires a secure context.',
      howToGetIt: 'Serve the page over https, or open it at http://localhost.',
    };
  }
  return {
    reason: 'This browser does not support WebGPU.',
    howToGetIt: 'Use a current Chrome, Edge, Firefox or Safari.',
  };
}

export const noAdapter: Absence = {
  reason: 'The browser found no GPU adapter.',
  howToGetIt: 'Enable hardware acceleration in the settings of the browser.',
};

/** Loads the backend, an optional peer: bundlers replace it with an error where it is not installed. */
export async function loadLibrary(
  load: () => Promise<unknown> = () => import('@tensorflow/tfjs-backend-webgpu'),
): Promise<Absence | undefined> {
  try {
    await load();
    return undefined;
  } catch (error) {
    return {
      reason: `${library} could not be loaded: ${messageOf(error)}`,
      howToGetIt: `Install ${library}@4.22.0, and bundle the page again.`,
    };
  }
}
