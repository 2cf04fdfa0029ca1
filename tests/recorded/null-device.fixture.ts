import { startWebGpu, type WebGpuRuntime } from '@localgrad/webgpu-kernels';

interface Dawn {
  create(flags: readonly string[]): object;
  readonly globals: object;
}

/** Test files share a process, and TensorFlow.js keeps the device of its backend. */
let gpu: object | undefined;

/** Whether the webgpu backend of this process is on the null device, and remains there. */
export const hasNullDevice = () => gpu !== undefined;

/**
 * Dawn's null backend checks every call and computes nothing. Other test files find no GPU after `dispose`. Undefined if Dawn
 * is not installed.
 */
export async function startNullDevice(): Promise<WebGpuRuntime | undefined> {
  const dawn: Dawn | undefined = await import('webgpu').catch(() => undefined);
  if (dawn === undefined) {
    console.warn('SKIPPED: these tests need the package webgpu.');
    return undefined;
  }
  Object.assign(globalThis, dawn.globals);
  gpu ??= dawn.create(['backend=null']);
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  const runtime = await startWebGpu();
  return {
    ...runtime,
    dispose() {
      runtime.dispose();
      if (before === undefined) Reflect.deleteProperty(globalThis, 'navigator');
      else Object.defineProperty(globalThis, 'navigator', before);
    },
  };
}
