import { cifarResNet } from '@localgrad/backbones';
import type { BackendHandle } from '@localgrad/backends';
import { standardCatalog } from '@localgrad/catalog';
import { afterAll, describe, expect, it } from 'vitest';
import { startGpu } from './software-gpu.fixture.js';
import { createTraining, type TrainingOptions } from './training.fixture.js';

const backend: BackendHandle | undefined = await startGpu();
afterAll(() => backend?.dispose());

const factory = cifarResNet({ depth: 8, widths: [4, 4, 8, 8] });
const small = { factory, modules: 3, side: 8, batch: 2 };

const locals = ['greedy', 'dgl(head: 1c2f)', 'predsim', 'infopro', 'auglocal(depth: 1)', 'hpff', 'mono-forward'];
const decorated = ['greedy', 'dgl(head: 1c2f)', 'predsim', 'infopro'].flatMap((method) =>
  ['mlm', 'lam', 'mlaan', 'man', 'sequential'].map((decorator) => `${decorator}(${method})`),
);

/** In `test:backend`, on an emulated GPU as well: methods of three kinds for a few steps. */
const isShort = process.env.LOCALGRAD_TEST_BACKEND !== undefined;
const methods = isShort ? ['backprop', 'dgl(head: 1c2f)', 'mlaan(greedy)'] : ['backprop', ...locals, ...decorated];
const steps = isShort ? 5 : 20;

/** Runs the same steps ordinarily and recorded, and compares every loss, weight and state bit for bit. */
async function expectEqual(options: TrainingOptions): Promise<void> {
  const ordinary = createTraining({ ...options, recordSteps: false });
  const recorded = createTraining(options);
  try {
    for (let index = 0; index < steps; index++) {
      const [expected, found] = await Promise.all([ordinary.losses(index), recorded.losses(index)]);
      expect(found, `losses of step ${index}`).toEqual(expected);
    }
    expect(recorded.step.recording).toMatchObject({ mode: 'recorded' });
    const [expected, found] = [await ordinary.state(), await recorded.state()];
    for (const [name, values] of expected) expect(found.get(name), name).toEqual(values);
  } finally {
    ordinary.dispose();
    recorded.dispose();
  }
}

describe.skipIf(backend === undefined)('recorded steps equal ordinary ones', { timeout: 600_000 }, () => {
  it.each(methods)('%s', async (method) => {
    await expectEqual({ ...small, method: standardCatalog.method(method) });
  });
});
