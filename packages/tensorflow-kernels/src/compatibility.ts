/** Script that defines `util.isNullOrUndefined`, which TensorFlow.js 4.22.0 calls and Node 23 removed. */
export const restoreUtility = "const util = require('node:util'); util.isNullOrUndefined ??= (value) => value == null;";

/** Hides the lines that TensorFlow writes to stderr at start-up; no option of the library does. */
export const quietEnvironment = { TF_CPP_MIN_LOG_LEVEL: '2' };

/** Prepares this process for the native TensorFlow.js packages. Not undone, since TensorFlow stays loaded. */
export async function prepareProcess(): Promise<void> {
  for (const [name, value] of Object.entries(quietEnvironment)) process.env[name] ??= value;
  const util = (await import('node:util')).default as unknown as Record<string, unknown>;
  util.isNullOrUndefined ??= (value: unknown) => value == null;
}
