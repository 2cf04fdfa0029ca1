import { fileURLToPath } from 'node:url';
import { LineProcess } from './line-process.js';
import type { MeasuredBackend } from './measured-backend.js';
import type { Contestant, MeasuredNetwork, StepMeasurement } from './options.js';
import type { StockTapeNetwork } from './stock-tape-step.js';

/** What a process measures: a method on localgrad's engine, or stock TensorFlow.js. */
export type ProcessRequest =
  | { readonly kind: 'method'; readonly method: string; readonly options: MeasuredNetwork & MeasuredBackend }
  | { readonly kind: 'stock-tape'; readonly options: StockTapeNetwork };

/** What a process says of itself before its first step. */
export type Greeting = Omit<Contestant, 'name' | 'step' | 'close'>;

/** A contestant in a process of its own. @throws LocalgradError `backend-unavailable` if it cannot be measured */
export async function startProcess(name: string, request: ProcessRequest): Promise<Contestant> {
  // Beside the module that this one is bundled into.
  const program = fileURLToPath(new URL('./step-worker.js', import.meta.url));
  const child = new LineProcess(name, process.execPath, [...process.execArgv, program, JSON.stringify(request)]);
  return lineContestant(child, name, () => child.read<Greeting>());
}

/** A contestant whose steps a child process runs on request. @param greet if it fails, the process is closed */
export async function lineContestant(
  child: LineProcess,
  name: string,
  greet: () => Promise<Greeting>,
): Promise<Contestant> {
  try {
    return {
      ...(await greet()),
      name,
      step: () => child.request<StepMeasurement>('step'),
      close: () => child.close(),
    };
  } catch (error) {
    await child.close();
    throw error;
  }
}
