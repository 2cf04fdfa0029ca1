import { checkRun } from './check-run.js';
import { interruptions, numRuns, testRandomRuns } from './random-runs.js';

const backend = process.env.LOCALGRAD_FUZZ_BACKEND || 'wasm';

testRandomRuns(
  `${numRuns} random configs of runs train, resume and evaluate with the same numbers, or are refused with a LocalgradError`,
  interruptions,
  (config, interruption, folder) => checkRun({ ...config, backend }, interruption, folder),
);
