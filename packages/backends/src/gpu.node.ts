import { messageOf } from '@localgrad/core';
import { type Absence, type Gpu, providedGpu } from './gpu.js';
import { findOptional, importOptional } from './optional-module.node.js';
import { isVulkanMissing } from './vulkan.node.js';

const library = '@tensorflow/tfjs-backend-webgpu';
const onLinux =
  'On Linux install libvulkan1 and the driver of the GPU; for tests without a GPU set VK_ICD_FILENAMES to the vk_swiftshader_icd.json of Debian’s package chromium-common.';
const install = `\`npm install ${library}@4.22.0 webgpu@0.6.2\``;

/** The WebGPU entry point: Dawn, from the package `webgpu`, unless the program provides one. */
export async function findGpu(): Promise<Gpu | Absence> {
  const known = providedGpu();
  if (known !== undefined) return known;
  if (isVulkanMissing() && (await findOptional('webgpu')) !== undefined) {
    return { reason: 'The Vulkan loader, libvulkan.so.1, was not found.', howToGetIt: onLinux };
  }
  try {
    const dawn = await importOptional<{ create(flags: string[]): Gpu; globals: object }>('webgpu');
    if (dawn === undefined) {
      return { reason: 'The package webgpu (Dawn for Node) is not installed.', howToGetIt: `${install}.` };
    }
    Object.assign(globalThis, dawn.globals);
    const gpu = dawn.create([]);
    // TensorFlow.js reads `navigator.gpu` while its backend is imported.
    Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
    return gpu;
  } catch (error) {
    return explain(messageOf(error).split('\n')[0] ?? '');
  }
}

function explain(message: string): Absence {
  const missing = /version `(GLIBC(?:XX)?_[\d.]+)' not found/.exec(message)?.[1];
  return missing === undefined
    ? { reason: `The package webgpu cannot be loaded: ${message}`, howToGetIt: install }
    : {
        reason: `The package webgpu requires ${missing}, which this system lacks.`,
        howToGetIt: `Install the version that localgrad was tested with: ${install}.`,
      };
}

export const noAdapter: Absence = {
  reason: 'Dawn found no GPU adapter: no Vulkan, Metal or D3D12 driver responds.',
  howToGetIt: onLinux,
};

/** Imports the backend from the user's project, so that it shares the project's TensorFlow.js. */
export async function loadLibrary(): Promise<Absence | undefined> {
  const module = await importOptional(library);
  return module === undefined ? { reason: `${library} is not installed.`, howToGetIt: `${install}.` } : undefined;
}
