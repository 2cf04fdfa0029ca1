import { runWorker } from './index.js';
import { build, type FixtureConfig } from './plan.fixture.js';

// The weights of the main program count, whatever those of the worker are.
await runWorker<FixtureConfig>((config) => build({ ...config, seed: 99 }));
