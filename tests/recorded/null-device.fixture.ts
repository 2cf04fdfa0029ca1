import { startWebGpu, type WebGpuRuntime } from '@localgrad/webgpu-kernels';

interface Dawn {
  create(flags: readonly string[]): object;
  readonly globals: object;
}

/** Dawn's null backend checks every call and computes nothing. Undefined if Dawn is not installed. */
export async function startNullDevice(): Promise<WebGpuRuntime | undefined> {
  const dawn: Dawn | undefined = await import('webgpu').catch(() => undefined);
  if (dawn === undefined) {
    console.warn('SKIPPED: these tests need the package webgpu.');
    return undefined;
  }
  Object.assign(globalThis, dawn.globals);
  const value = { gpu: dawn.create(['backend=null']) };
  Object.defineProperty(globalThis, 'navigator', { value, configurable: true });
  return startWebGpu();
}
