import { selectBackend } from '@localgrad/backends';
import { train } from '@localgrad/train';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPlan } from '../build-plan.js';
import { type RunConfigInput, runConfigSchema } from '../config/run-config.js';
import { loadData } from '../load-data.js';
import { prepareRun } from '../prepare-run.js';
import type { RunSplits } from '../run-images.js';
import { budgetBytesOf } from './memory-budget.js';

const configOf = (more: RunConfigInput) =>
  runConfigSchema.parse({
    ...{ width: 8, resize: 16, batch: 32, trainImages: 96, testImages: 32, epochs: 1, backend: 'wasm', threads: 1 },
    ...more,
  });

let data: RunSplits;
let backend: Awaited<ReturnType<typeof selectBackend>>;
beforeAll(async () => {
  backend = await selectBackend('wasm', { threads: 1 });
  data = await loadData(configOf({}));
}, 60_000);
afterAll(() => backend.dispose());

async function choose(config: RunConfigInput) {
  const { dispose, budget } = await buildPlan(configOf(config), data.train, { zeros: true });
  dispose();
  if (budget === undefined) throw new Error('no budget');
  return budget;
}

describe('a memory budget', () => {
  // Fractions of the peak of end-to-end training with stored activations.
  it.each([
    ['backprop', 'resnet14', 0.9],
    ['backprop', 'resnet20', 0.7],
    ['backprop', 'resnet32', 0.5],
    ['greedy', 'resnet20', 0.7],
    ['dgl(head: 1c2f)', 'resnet32', 0.5],
    ['predsim', 'resnet14', 0.8],
    ['lean-mlaan(greedy)', 'resnet20', 0.75],
    ['lam(greedy)', 'resnet32', 0.7],
    ['mlm(greedy)', 'resnet14', 0.8],
    ['infopro', 'resnet20', 0.8],
  ])(
    '%s on %s within %d of end-to-end training: the measured peak is within 3 % of the prediction and the budget',
    { timeout: 120_000 },
    async (method, backbone, share) => {
      const whole = await choose({ backbone, method: 'backprop', memoryBudget: '1GiB' });
      const memoryBudget = `${Math.ceil((share * whole.peakBytes) / 1024)}KiB`;
      const chosen = await choose({ backbone, method, memoryBudget });
      const run = await prepareRun(configOf({ backbone, method, memoryBudget }), data);
      const { peakBytes } = await train(run.options).finally(() => run.dispose());
      expect(chosen.peakBytes).toBeLessThanOrEqual(budgetBytesOf(memoryBudget));
      expect(Math.abs(peakBytes / chosen.peakBytes - 1)).toBeLessThan(0.03);
      expect(peakBytes).toBeLessThanOrEqual(1.03 * budgetBytesOf(memoryBudget));
    },
  );
});
