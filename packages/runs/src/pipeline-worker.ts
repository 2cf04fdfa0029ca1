import { runWorker } from '@localgrad/pipeline';
import { buildPlan } from './build-plan.js';
import { optimizerOf } from './config/optimization.js';
import type { PartConfig } from './pipeline/part-config.js';

// The program of a worker thread that trains some modules of a run. Weights are 0 until it receives those of the run.
await runWorker<PartConfig>(async ({ config, images, project }) => {
  const { compiled, catalog } = await buildPlan(config, images, { project, zeros: true });
  return { compiled, optimizer: optimizerOf(config, catalog) };
});
