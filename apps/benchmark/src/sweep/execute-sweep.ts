import { readSweepStatus, runSweep, type Sweep, type SweepExecution, type SweepResult } from '@localgrad/experiments';
import type { Terminal } from '../terminal.js';
import { SweepProgress } from './sweep-progress.js';

export interface ExecuteOptions extends Omit<SweepExecution, 'signal' | 'onEvent'> {
  /** Name of the experiment file, for messages. */
  readonly file?: string;
  /** Whether the sweep comes from `checkedSweep`. */
  readonly isChecked?: boolean;
}

/** Runs the unfinished runs of a sweep, and shows progress on the terminal. */
export async function executeSweep(sweep: Sweep, options: ExecuteOptions, terminal: Terminal): Promise<SweepResult> {
  const progress = new SweepProgress(terminal.stderr, await readSweepStatus(sweep));
  try {
    return await runSweep({
      sweep,
      ...options,
      signal: terminal.signal,
      onEvent: ({ worker, ...event }) => progress.show(worker, event),
    });
  } finally {
    progress.end();
  }
}
