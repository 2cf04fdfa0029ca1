import { quietEnvironment, restoreUtility } from './compatibility.js';

/** Result of starting a native package in a separate process. */
export type Trial =
  | { readonly works: true; readonly tensorflow: string; readonly gpu: boolean }
  | { readonly works: false; readonly message: string; readonly signal?: string | undefined };

/**
 * Starts a native package in a separate process, since an incompatible library may crash the process that loads it.
 *
 * @param folder of the installed package, `@tensorflow/tfjs-node` or `@tensorflow/tfjs-node-gpu`
 */
export async function tryTensorflow(folder: string): Promise<Trial> {
  const { execFile } = await import('node:child_process');
  const script = `${restoreUtility}
    try {
      const backend = require(${JSON.stringify(folder)}).backend();
      const facts = { works: true, tensorflow: backend.binding.TF_Version, gpu: backend.isUsingGpuDevice };
      console.log('\\n' + JSON.stringify(facts));
    } catch (error) { console.log('\\n' + JSON.stringify({ works: false, message: String(error?.message ?? error) })); }`;
  return new Promise((resolve) => {
    const env = { ...quietEnvironment, ...process.env };
    execFile(process.execPath, ['-e', script], { timeout: 120_000, env }, (error, stdout, stderr) => {
      const last = stdout.trim().split('\n').at(-1) ?? '';
      if (last.startsWith('{')) resolve(JSON.parse(last));
      else resolve({ works: false, message: stderr.trim() || String(error), signal: error?.signal ?? undefined });
    });
  });
}
