import { engineContestant } from './engine-contestant.js';
import { type MeasuredBackend, startMeasuredBackend } from './measured-backend.js';
import type { Contestant, MeasuredNetwork } from './options.js';

/** Starts a backend for a method's steps alone. @throws LocalgradError */
export async function startEngineStep(method: string, options: MeasuredNetwork & MeasuredBackend): Promise<Contestant> {
  const backend = await startMeasuredBackend(options);
  try {
    const contestant = await engineContestant(method, options, backend);
    return {
      ...contestant,
      async close() {
        await contestant.close();
        backend.dispose();
      },
    };
  } catch (error) {
    backend.dispose();
    throw error;
  }
}
