import { at } from '@localgrad/core';
import { LineProcess } from './line-process.js';
import { requirePeerOptimization } from './optimization.js';
import type { BenchStepOptions, Contestant, StepMeasurement } from './options.js';

interface Greeting {
  readonly backend: string;
  readonly details: Readonly<Record<string, string | number>>;
}

/**
 * The same network through `tf.variableGrads` on the stock wasm backend, in a process without localgrad's.
 *
 * @throws LocalgradError `backend-unavailable`, `invalid-option`
 */
export async function startStockTape(options: BenchStepOptions): Promise<Contestant> {
  requirePeerOptimization('stock-tape', options);
  const { backbone, width = 16, batch, image, classes } = options;
  const request = JSON.stringify({ backbone, width, batch, image, classes });
  const program = [...process.execArgv, at(process.argv, 1, 'program argument')];
  const child = new LineProcess('stock-tape', process.execPath, [...program, 'bench', 'stock-tape-worker', request]);
  try {
    const { backend, details } = await child.read<Greeting>();
    const step = () => child.request<StepMeasurement>('step');
    return { name: 'stock-tape', modules: 1, backend, details, step, close: () => child.close() };
  } catch (error) {
    await child.close();
    throw error;
  }
}
