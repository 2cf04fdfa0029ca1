import type { BackendHandle } from '@localgrad/backends';
import { rejectUnknownKeys, requireOption } from '@localgrad/core';
import type { MachineGroup } from '@localgrad/pipeline';
import type { Observer } from '@localgrad/train';
import type { NameOptions } from './config/resolve-names.js';
import type { RunConfig } from './config/run-config.js';
import type { StopRule } from './early-stop.js';
import type { RunSplits } from './run-images.js';
import type { TrackerOptions } from './run-trackers.js';

/** Options of a run that do not affect its result. */
export interface KeepOptions {
  readonly everyEpochs?: number | undefined;
  readonly everySteps?: number | undefined;
  readonly keepLast?: number | undefined;
  readonly keepBest?: boolean | undefined;
}

export interface ExecuteOptions {
  readonly config: RunConfig;
  readonly folder: string;
  /** `auto` resumes from the newest complete checkpoint, `never` starts over and replaces any run in the folder. */
  readonly resume: 'auto' | 'never';
  readonly keep?: KeepOptions;
  readonly trackers?: TrackerOptions;
  readonly observers?: readonly Observer[];
  readonly signal?: AbortSignal | undefined;
  /** Receives problems that do not end the run. */
  readonly onProblem?: (message: string) => void;
  /** A running backend, which the caller disposes. Default: a backend is started for this run. */
  readonly backend?: BackendHandle;
  readonly data?: RunSplits;
  /** Where the names in the config are looked up. */
  readonly names?: NameOptions;
  /** The machines of all workers but the first; see `openMachines`. */
  readonly machines?: MachineGroup | undefined;
  /** Advice for the error about a different run in the folder; default: the options of `localgrad train`. */
  readonly advice?: string;
  /** Ends or pauses the run: `executeRun` then throws `RunStopped` or `RunPaused`, and the run can be resumed. */
  readonly stopRule?: StopRule | undefined;
  /** Whether an error counts as a failure of the run. Default: all errors except failures of the machine. */
  readonly countsAgainstRun?: (error: unknown) => boolean;
}

const optionNames = [
  ...(['config', 'folder', 'resume', 'keep', 'trackers', 'observers', 'signal', 'onProblem', 'backend'] as const),
  ...(['data', 'names', 'machines', 'advice', 'stopRule', 'countsAgainstRun'] as const),
] satisfies readonly (keyof ExecuteOptions)[];

const keepNames = [
  'everyEpochs',
  'everySteps',
  'keepLast',
  'keepBest',
] as const satisfies readonly (keyof KeepOptions)[];

/** @throws LocalgradError `invalid-option`, `unknown-name` */
export function checkExecuteOptions(options: ExecuteOptions): void {
  const { resume, keep = {} } = options;
  rejectUnknownKeys('executeRun', options, optionNames);
  rejectUnknownKeys('executeRun, keep', keep, keepNames);
  requireOption(['auto', 'never'].includes(resume), 'executeRun', 'resume', resume, 'auto, never');
}

/** Whether to keep checkpoints after the run has finished. */
export function keepsCheckpoints({ keepLast, keepBest }: KeepOptions = {}): boolean {
  return keepLast !== undefined || keepBest === true;
}
