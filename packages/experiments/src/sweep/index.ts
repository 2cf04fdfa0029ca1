export { loadStudy } from './load-study.js';
export { isEnded, type TaskStatus } from './run-limits.js';
export { readSweep, runFolderOf, type Sweep, type SweepTask, sweepHash, writeSweep } from './sweep-folder.js';
export { readSweepStatus, type SweepStatus, type TaskState } from './sweep-status.js';
export type { Need } from './tuning.js';
export { type TaskOutcome, type WorkOptions, workOn } from './work.js';
