import { LocalgradError } from '@localgrad/core';
import type { BackendDescriptor } from './descriptor.js';
import type { Absence, Adapter } from './gpu.js';
import { findGpu, loadLibrary, noAdapter } from './gpu.node.js';

interface Found {
  readonly adapter: Adapter;
  readonly name: string;
  readonly hardware: boolean;
}

/** Finds a GPU adapter, or the reason why none is available. */
async function findAdapter(): Promise<Found | Absence> {
  const gpu = await findGpu();
  if (!('requestAdapter' in gpu)) return gpu;
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) return noAdapter;
  const { vendor, architecture, device, description } = adapter.info;
  const isFallback = adapter.info.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
  const name = [vendor, device || architecture, description].filter((part) => part).join(' ');
  return { adapter, name, hardware: !isFallback && !/swiftshader|llvmpipe|lavapipe|software|subzero/i.test(name) };
}

export const webgpu: BackendDescriptor = {
  name: 'webgpu',
  description: 'any modern GPU through Vulkan, Metal or Direct3D, without CUDA, with WGSL training kernels',
  automatic: true,
  processor: false,
  async probe() {
    const found = await findAdapter();
    if (!('adapter' in found)) return { available: false, device: '', hardware: false, ...found };
    const absence = await loadLibrary();
    if (absence !== undefined) {
      return { available: false, device: found.name, hardware: found.hardware, ...absence };
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
    await loadLibrary();
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
