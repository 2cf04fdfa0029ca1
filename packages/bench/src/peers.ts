import { settingOf } from './contestants.js';
import { requirePeerOptimization } from './optimization.js';
import type { BenchStepOptions, Contestant } from './options.js';
import { startProcess } from './process-contestant.js';

/**
 * The same network through `tf.variableGrads` on the stock wasm backend, in a process without localgrad's.
 *
 * @throws LocalgradError `backend-unavailable`, `invalid-option`
 */
export async function startStockTape(options: BenchStepOptions): Promise<Contestant> {
  requirePeerOptimization('stock-tape', options);
  const { backbone, width = 16, batch, image, classes } = options;
  return startProcess('stock-tape', { kind: 'stock-tape', options: { backbone, width, batch, image, classes } });
}

/** Name of the row of a method's steps on one thread. */
export const oneThreadName = (method: string) => `one-thread ${method}`;

/** The steps of a row on one thread, in a process of their own: a process has one backend. @throws LocalgradError */
export async function startOneThread(row: string, options: BenchStepOptions): Promise<Contestant> {
  const { method, network } = await settingOf(row, options);
  return startProcess(oneThreadName(row), { kind: 'method', method, options: { ...network, threads: 1 } });
}
