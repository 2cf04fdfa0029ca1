import { startWebGpu, type WebGpuRuntime } from '@localgrad/webgpu-kernels';

interface Dawn {
  create(flags: readonly string[]): object;
  readonly globals: object;
}

/** Test files share a process, in which TensorFlow.js keeps the device of its backend, but not the modules of the tests. */
const shared: typeof globalThis & { localgradNullGpu?: object } = globalThis;

/** Whether the webgpu backend of this process is on the null device, and remains there. */
export const hasNullDevice = () => shared.localgradNullGpu !== undefined;

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
  shared.localgradNullGpu ??= dawn.create(['backend=null']);
  const gpu = shared.localgradNullGpu;
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
