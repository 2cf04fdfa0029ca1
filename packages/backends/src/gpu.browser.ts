import { type Absence, type Gpu, providedGpu } from './gpu.js';

/** The WebGPU entry point of the browser. */
export async function findGpu(): Promise<Gpu | Absence> {
  return (
    providedGpu() ?? {
      reason: 'This browser does not support WebGPU.',
      howToGetIt: 'Use a current Chrome, Edge, Firefox or Safari.',
    }
  );
}

export const noAdapter: Absence = {
  reason: 'The browser found no GPU adapter.',
  howToGetIt: 'Enable hardware acceleration in the settings of the browser.',
};

/** The backend is part of the bundle. */
export async function loadLibrary(): Promise<Absence | undefined> {
  return undefined;
}
