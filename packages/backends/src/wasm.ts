import type { BackendDescriptor } from './descriptor.js';
import { cpuName } from './system.node.js';

export const wasm: BackendDescriptor = {
  name: 'wasm',
  description: 'WebAssembly with SIMD training kernels and threads: runs everywhere, installed from npm only',
  automatic: true,
  processor: true,
  mostThreads: 64,
  async probe() {
    const device = cpuName();
    if (typeof WebAssembly !== 'object') {
      return {
        available: false,
        reason: 'This runtime does not support WebAssembly.',
        device,
        hardware: true,
        howToGetIt: 'Use Node 20.19 or later.',
      };
    }
    const { detectWasm } = await import('@localgrad/wasm-kernels');
    const { simd, relaxedSimd, threads } = await detectWasm();
    const reason = simd
      ? `${relaxedSimd ? 'Relaxed-SIMD' : 'SIMD'} training kernels on ${threads} ${threads === 1 ? 'thread' : 'threads'}${relaxedSimd ? '' : '; this engine does not support relaxed SIMD, which is faster'}.`
      : 'Works, but without SIMD training is about ten times slower.';
    return { available: true, reason, device, hardware: true };
  },
  async start({ threads = 'auto', relaxedSimd = true, wasmPaths }) {
    const { startWasm } = await import('@localgrad/wasm-kernels');
    const files = wasmPaths === undefined ? {} : { wasmPaths };
    const { facts, heap, dispose } = await startWasm({ threads, relaxedSimd, ...files });
    const { threads: used, ...others } = facts;
    return {
      threads: used,
      device: cpuName(),
      hardware: true,
      facts: others,
      availableBytes: () => heap.availableBytes(),
      memoryInUse: async () => ({ bytes: heap.usedBytes(), method: 'wasm heap' }),
      dispose,
    };
  },
};
