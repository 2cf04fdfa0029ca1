export { type Attempt, type AttemptOutcome, Claim, type ClaimOptions, listAttempts, noteFailure } from './claim.js';
export { createFolder, readIfThere, readJsonIfThere, writeWhole } from './files.js';
export { canonicalJson, hashOf } from './hash.js';
export { MetricsFile } from './metrics-file.js';
export { type RetryLimits, type RunState, type RunStatus, readRunState, readSummary } from './run-state.js';
