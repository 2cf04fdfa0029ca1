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
