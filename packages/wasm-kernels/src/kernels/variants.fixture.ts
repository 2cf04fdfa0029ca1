import { afterAll, beforeAll } from 'vitest';
import { startWasm, type WasmRuntime } from '../runtime/start.js';
import { createWasmTrainingKernels } from './index.js';
import type { WasmTrainingKernels } from './wasm-training-kernels.js';

/** Kernels on one heap: with one and with three threads, and the same with relaxed SIMD. */
export interface KernelVariants {
  readonly one: WasmTrainingKernels;
  readonly three: WasmTrainingKernels;
  readonly fusedOne: WasmTrainingKernels;
  readonly fusedThree: WasmTrainingKernels;
}

/** Starts the kernels for the tests of a suite; call the result in a test. */
export function useVariants(): () => KernelVariants & Pick<WasmRuntime, 'heap'> {
  let runtime: WasmRuntime;
  let variants: KernelVariants;
  beforeAll(async () => {
    runtime = await startWasm({ threads: 2 });
    const start = (threads: number, relaxedSimd: boolean) =>
      createWasmTrainingKernels(runtime.heap, { threads, relaxedSimd });
    variants = {
      one: await start(1, false),
      three: await start(3, false),
      fusedOne: await start(1, true),
      fusedThree: await start(3, true),
    };
  });
  afterAll(() => {
    for (const kernels of Object.values(variants)) kernels.dispose();
    runtime.dispose();
  });
  return () => ({ ...variants, heap: runtime.heap });
}
