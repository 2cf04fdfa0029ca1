export { type Attempt, type AttemptOutcome, type ClaimOptions, listAttempts } from './attempts.js';
export { Claim } from './claim.js';
export { createFolder, readIfThere, readJsonIfThere, writeWhole } from './files.js';
export { canonicalJson, hashOf } from './hash.js';
export { MetricsFile } from './metrics-file.js';
export { forgetFailures, noteFailure, noteLoss } from './notes.js';
export { type RetryLimits, type RunState, type RunStatus, readRunState, readSummary } from './run-state.js';
export { explainWriteError } from './write-errors.js';
