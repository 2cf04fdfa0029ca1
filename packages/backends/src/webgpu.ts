import { LocalgradError } from '@localgrad/core';
import type { BackendDescriptor, ProbeResult } from './descriptor.js';
import { findOptional, importOptional } from './optional-module.js';
import { isVulkanMissing } from './vulkan.js';

const library = '@tensorflow/tfjs-backend-webgpu';
const install = `\`npm install ${library}@4.22.0 webgpu@0.6.2\``;
const onLinux =
  'On Linux install libvulkan1 and the driver of the GPU; for tests without a GPU set VK_ICD_FILENAMES to the vk_swiftshader_icd.json of Debian’s package chromium-common.';
const isNode = typeof process === 'object' && process.versions?.node !== undefined;

interface Adapter {
  readonly info: {
    readonly vendor: string;
    readonly architecture: string;
    readonly device: string;
    readonly description: string;
    readonly isFallbackAdapter?: boolean;
  };
  readonly isFallbackAdapter?: boolean;
  readonly limits: Readonly<Record<string, number>>;
}

interface Gpu {
  requestAdapter(options?: object): Promise<Adapter | null>;
}

interface Found {
  readonly adapter: Adapter;
  readonly name: string;
  readonly hardware: boolean;
}

function knownGpu(): Gpu | undefined {
  return (globalThis as { navigator?: { gpu?: Gpu } }).navigator?.gpu;
}

/** The WebGPU entry point (`navigator.gpu`): the browser's, or in Node that of Dawn from the package `webgpu`. */
async function gpuOf(): Promise<Gpu | undefined> {
  const known = knownGpu();
  if (known !== undefined || !isNode) return known;
  const dawn = await importOptional<{ create(flags: string[]): Gpu; globals: object }>('webgpu');
  if (dawn === undefined) return undefined;
  Object.assign(globalThis, dawn.globals);
  const gpu = dawn.create([]);
  // TensorFlow.js reads `navigator.gpu` while its backend is imported.
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  return gpu;
}

/** Finds a GPU adapter, or the reason why none is available. */
async function findAdapter(): Promise<Found | Omit<ProbeResult, 'available' | 'device' | 'hardware'>> {
  let gpu: Gpu | undefined;
  if (isNode && knownGpu() === undefined && isVulkanMissing() && (await findOptional('webgpu')) !== undefined) {
    return { reason: 'The Vulkan loader, libvulkan.so.1, was not found.', howToGetIt: onLinux };
  }
  try {
    gpu = await gpuOf();
  } catch (error) {
    const message = (error as Error).message.split('\n')[0] ?? '';
    const library = /version `(GLIBC(?:XX)?_[\d.]+)' not found/.exec(message)?.[1];
    return library === undefined
      ? { reason: `The package webgpu cannot be loaded: ${message}`, howToGetIt: install }
      : {
          reason: `The package webgpu requires ${library}, which this system lacks.`,
          howToGetIt: `Install the version that localgrad was tested with: ${install}.`,
        };
  }
  if (gpu === undefined) {
    return isNode
      ? { reason: 'The package webgpu (Dawn for Node) is not installed.', howToGetIt: `${install}.` }
      : {
          reason: 'This browser does not support WebGPU.',
          howToGetIt: 'Use a current Chrome, Edge, Firefox or Safari.',
        };
  }
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) {
    return {
      reason: 'Dawn found no GPU adapter: no Vulkan, Metal or D3D12 driver responds.',
      howToGetIt: onLinux,
    };
  }
  const { vendor, architecture, device, description } = adapter.info;
  const isFallback = adapter.info.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
  const name = [vendor, device || architecture, description].filter((part) => part).join(' ');
  return { adapter, name, hardware: !isFallback && !/swiftshader|llvmpipe|lavapipe|software|subzero/i.test(name) };
}

export const webgpu: BackendDescriptor = {
  name: 'webgpu',
  description: 'any modern GPU through Vulkan, Metal or Direct3D, without CUDA, with WGSL training kernels',
  automatic: true,
  async probe() {
    const found = await findAdapter();
    if (!('adapter' in found)) return { available: false, device: '', hardware: false, ...found };
    if (isNode && (await importOptional(library)) === undefined) {
      return {
        available: false,
        device: found.name,
        hardware: found.hardware,
        reason: `${library} is not installed.`,
        howToGetIt: `${install}.`,
      };
    }
    const kind = found.hardware ? 'A GPU' : 'Software emulation of a GPU: correct, but much slower than wasm';
    const limit = (found.adapter.limits.maxBufferSize ?? 0) / 2 ** 20;
    return {
      available: true,
      reason: `${kind}; buffers up to ${limit.toFixed(0)} MiB.`,
      device: found.name,
      hardware: found.hardware,
    };
  },
  async start() {
    const found = await findAdapter();
    if (!('adapter' in found)) throw new LocalgradError('backend-unavailable', found.reason);
    // Imported from the user's project, so that it shares the project's TensorFlow.js.
    if (isNode) await importOptional(library);
    const { startWebGpu } = await import('@localgrad/webgpu-kernels');
    const { facts, allocatedBytes, dispose } = await startWebGpu();
    return {
      threads: 1,
      device: found.name,
      hardware: found.hardware,
      facts,
      // WebGPU does not report a GPU's total or free memory; an allocation that does not fit throws an error.
      availableBytes: () => Number.POSITIVE_INFINITY,
      memoryInUse: async () => ({ bytes: allocatedBytes(), method: 'buffers on the GPU' }),
      dispose,
    };
  },
};
