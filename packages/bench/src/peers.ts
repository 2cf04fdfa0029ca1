import { LineProcess } from './line-process.js';
import type { BenchStepOptions, Contestant, StepMeasurement } from './options.js';

interface Greeting {
  readonly backend: string;
  readonly details: Readonly<Record<string, string | number>>;
}

/**
 * The same network through `tf.variableGrads` on the stock wasm backend, in a process where ours has not been started.
 *
 * @throws LocalgradError `backend-unavailable`
 */
export async function startStockTape(options: BenchStepOptions): Promise<Contestant> {
  const { backbone, width = 16, batch, image, classes } = options;
  const request = JSON.stringify({ backbone, width, batch, image, classes });
  const program = [...process.execArgv, process.argv[1] as string];
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
