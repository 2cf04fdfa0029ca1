export { loadStudy } from './load-study.js';
export { readSweep, runFolderOf, type Sweep, type SweepTask, sweepHash, writeSweep } from './sweep-folder.js';
export { isEnded, readSweepStatus, type SweepStatus, type TaskState } from './sweep-status.js';
export { type TaskOutcome, type WorkOptions, workOn } from './work.js';
