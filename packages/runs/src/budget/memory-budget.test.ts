import { selectBackend } from '@localgrad/backends';
import { train } from '@localgrad/train';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPlan } from '../build-plan.js';
import { type RunConfigInput, runConfigSchema } from '../config/run-config.js';
import { explain } from '../explain.js';
import { loadData } from '../load-data.js';
import { prepareRun } from '../prepare-run.js';
import type { RunSplits } from '../run-images.js';
import { budgetBytesOf } from './memory-budget.js';

const common: RunConfigInput = {
  backbone: 'resnet20',
  width: 4,
  resize: 16,
  batch: 20,
  trainImages: 20,
  testImages: 20,
};
const configOf = (more: RunConfigInput) =>
  runConfigSchema.parse({ ...common, epochs: 1, backend: 'wasm', threads: 1, ...more });

let data: RunSplits;
let backend: Awaited<ReturnType<typeof selectBackend>>;
beforeAll(async () => {
  backend = await selectBackend('wasm', { threads: 1 });
  data = await loadData(configOf({}));
}, 60_000);
afterAll(() => backend.dispose());

async function choose(more: RunConfigInput) {
  const { dispose, budget } = await buildPlan(configOf(more), data.train);
  dispose();
  if (budget === undefined) throw new Error('no budget');
  return budget;
}

/** Peak memory of a run of one step. */
async function measure(more: RunConfigInput): Promise<number> {
  const run = await prepareRun(configOf(more), data);
  try {
    return (await train(run.options)).peakBytes;
  } finally {
    run.dispose();
  }
}

const kibibytes = (bytes: number) => `${Math.ceil(bytes / 1024)}KiB`;

describe('memoryBudget', () => {
  it.each(['backprop', 'greedy', 'mlm(greedy)'])(
    '%s: takes less memory for more work, and the measured peak keeps within 3 % of every budget',
    { timeout: 240_000 },
    async (method) => {
      const free = await choose({ method, memoryBudget: '1GiB' });
      const whole = await choose({ method: 'backprop', memoryBudget: '1GiB' });
      let before = free;
      for (const share of [0.85, 0.7]) {
        const memoryBudget = kibibytes(whole.peakBytes * share);
        const chosen = await choose({ method, memoryBudget });
        expect(chosen.peakBytes).toBeLessThanOrEqual(budgetBytesOf(memoryBudget));
        expect(chosen.unitsOfWork).toBeGreaterThanOrEqual(before.unitsOfWork);
        expect(chosen.partition.reduce((sum, size) => sum + size, 0)).toBe(10);
        expect(await measure({ method, memoryBudget })).toBeLessThanOrEqual(1.03 * budgetBytesOf(memoryBudget));
        before = chosen;
      }
    },
  );

  it('trains end to end with stored activations where they fit, and recomputes first blocks where they do not', async () => {
    const free = await choose({ method: 'backprop', memoryBudget: '1GiB' });
    expect(free).toMatchObject({ isEndToEnd: true, memory: { recompute: [] }, partition: [10] });
    expect(free.unitsOfWork).toBeCloseTo(3, 6);
    const tight = await choose({ method: 'backprop', memoryBudget: kibibytes(0.7 * free.peakBytes) });
    expect(tight.memory).not.toEqual({ recompute: [] });
    expect(tight.unitsOfWork).toBeLessThan(4);
    expect(tight.reason).toMatch(/recomputed .* units of work, the least of all plans that stay within/);
  });

  it('names the lowest peak where nothing fits, and keys that it decides', async () => {
    await expect(choose({ memoryBudget: '40KiB' })).rejects.toThrow(
      /^memoryBudget: no plan needs at most 40\.0 KiB: the lowest predicted peak is [\d.]+ KiB, with \d+ modules of /,
    );
    await expect(choose({ memoryBudget: '40' })).rejects.toThrow(
      "memoryBudget: '40'; allowed: a number with KiB, MiB or GiB",
    );
    await expect(choose({ memoryBudget: '1MiB', modules: 3 })).rejects.toThrow(
      'modules: has no effect with memoryBudget',
    );
  });

  it('is explained next to end-to-end training under the same budget', async () => {
    const { peakBytes } = await choose({ method: 'backprop', memoryBudget: '1GiB' });
    const memoryBudget = kibibytes(0.8 * peakBytes);
    const config = configOf({ method: 'greedy', memoryBudget });
    const { budget, modules, totals } = await explain({ ...config, image: [16, 16, 1], classes: 10 });
    expect(budget?.partition).toEqual(modules.map(({ blocks }) => blocks.length));
    expect(budget?.peakBytes).toBe(totals.predictedPeakBytes);
    expect(budget?.endToEnd?.isEndToEnd).toBe(true);
    expect(budget?.endToEnd?.peakBytes).toBeLessThanOrEqual(budgetBytesOf(memoryBudget));
  });
});

describe('partition balanced-peak', () => {
  it('has no higher peak than balanced-memory, since heads and chains count', async () => {
    for (const method of ['dgl', 'lam(greedy)']) {
      const peaks = [];
      for (const partition of ['balanced-memory', 'balanced-peak'] as const) {
        const { compiled, dispose } = await buildPlan(configOf({ method, partition, modules: 4 }), data.train);
        peaks.push(compiled.predict(20).peakBytes);
        dispose();
      }
      expect(peaks[1]).toBeLessThanOrEqual(peaks[0] ?? 0);
    }
  }, 60_000);
});
