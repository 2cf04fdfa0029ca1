import { selectBackend } from '@localgrad/backends';
import { runConfigSchema } from '@localgrad/runs';
import { expect, it } from 'vitest';
import { DataCache } from './data-cache.js';
import { costOf } from './plan-costs.js';

const images = { resize: 16, trainImages: 200, testImages: 100 };
const network = { backbone: 'resnet14', width: 4, modules: 7, batch: 50, epochs: 7 };

// As reports of such runs.
it.each([
  ['greedy', 3.0031505384556634, 1761547200],
  ['sequential(greedy)', 0.8026126283401164, 470785600],
  ['backprop', 3, 1759699200],
])(
  'predicts the work of a run with %s as its summary records it, on average over its phases',
  async (method, units, work) => {
    const backend = await selectBackend('cpu');
    try {
      const costs = await costOf(runConfigSchema.parse({ method, ...network, ...images }), new DataCache());
      expect(costs.unitsOfWork).toBeCloseTo(units, 10);
      expect(costs.work).toBeCloseTo(work, 0);
    } finally {
      backend.dispose();
    }
  },
);
