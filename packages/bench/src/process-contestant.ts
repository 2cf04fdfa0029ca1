import { fileURLToPath } from 'node:url';
import { LineProcess } from './line-process.js';
import type { MeasuredBackend } from './measured-backend.js';
import type { Contestant, MeasuredNetwork, StepMeasurement } from './options.js';

/** What a process measures: a method on localgrad's engine, or stock TensorFlow.js. */
export type ProcessRequest =
  | { readonly kind: 'method'; readonly method: string; readonly options: MeasuredNetwork & MeasuredBackend }
  | {
      readonly kind: 'stock-tape';
      readonly options: Pick<MeasuredNetwork, 'backbone' | 'batch' | 'image' | 'classes'> & { readonly width: number };
    };

/** What a process says of itself before its first step. */
export type Greeting = Omit<Contestant, 'name' | 'step' | 'close'>;

/** A contestant in a process of its own. @throws LocalgradError `backend-unavailable` if it cannot be measured */
export async function startProcess(name: string, request: ProcessRequest): Promise<Contestant> {
  // Beside the module that this one is bundled into.
  const program = fileURLToPath(new URL('./step-worker.js', import.meta.url));
  const child = new LineProcess(name, process.execPath, [...process.execArgv, program, JSON.stringify(request)]);
  try {
    const greeting = await child.read<Greeting>();
    return { ...greeting, name, step: () => child.request<StepMeasurement>('step'), close: () => child.close() };
  } catch (error) {
    await child.close();
    throw error;
  }
}
