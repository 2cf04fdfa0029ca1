import fc from 'fast-check';
import { checkPlacement } from './check-placement.js';
import { interruptions, numRuns, testRandomRuns } from './random-runs.js';

const workers = fc.record({
  interruption: interruptions,
  cuts: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }).filter((cuts) => cuts.includes(true)),
});

testRandomRuns(
  `${numRuns} random configs of runs end with the same weights in one process and on workers that resume them`,
  workers,
  (config, given, folder) => checkPlacement({ ...config, backend: 'wasm' }, given, folder),
);
