import { cifarResNet } from '@localgrad/backbones';
import type { BackendHandle } from '@localgrad/backends';
import { standardCatalog } from '@localgrad/catalog';
import { sgd } from '@localgrad/nn/optimizers';
import { captureTensors, restoreTensors } from '@localgrad/train';
import { afterAll, describe, expect, it } from 'vitest';
import { startGpu } from './software-gpu.fixture.js';
import { createTraining, type TrainingOptions } from './training.fixture.js';

const backend: BackendHandle | undefined = await startGpu();
afterAll(() => backend?.dispose());

const factory = cifarResNet({ depth: 8, widths: [4, 4, 8, 8] });
const small = { factory, modules: 3, side: 8, batch: 2 };

/** Methods with options: the smallest heads. */
const options: Readonly<Record<string, string>> = { dgl: 'dgl(head: 1c2f)', auglocal: 'auglocal(depth: 1)' };
const methods = standardCatalog.names('methods').map((name) => options[name] ?? name);
const decorated = standardCatalog
  .names('decorators')
  .flatMap((decorator) => methods.map((method) => `${decorator}(${method})`));

/** In `test:backend`, on an emulated GPU as well: methods of three kinds for a few steps. */
const isShort = process.env.LOCALGRAD_TEST_BACKEND !== undefined;
const cases = isShort ? ['backprop', 'dgl(head: 1c2f)', 'mlaan(greedy)'] : [...methods, ...decorated];
const [interruption, steps] = isShort ? [3, 7] : [10, 20];

/**
 * Runs the same steps ordinarily, and recorded with an interruption; compares every loss, weight and state bit for bit.
 */
async function expectEqual(training: TrainingOptions): Promise<void> {
  const ordinary = createTraining({ ...training, recordSteps: false });
  let recorded = createTraining(training);
  /** How the steps since the last start ran; each phase of a method is recorded anew. */
  const modes: (string | undefined)[] = [];
  try {
    for (let index = 0; index < steps; index++) {
      if (index === interruption) {
        expect(modes).toContain('recorded');
        modes.length = 0;
        const checkpoint = await captureTensors(recorded.compiled, recorded.optimizer);
        recorded.dispose();
        recorded = createTraining(training);
        restoreTensors(recorded.compiled, recorded.optimizer, checkpoint);
      }
      const [expected, found] = await Promise.all([ordinary.losses(index), recorded.losses(index)]);
      expect(found, `losses of step ${index}`).toEqual(expected);
      modes.push(recorded.step.recording?.mode);
    }
    expect(modes).toContain('recorded');
    const [expected, found] = [await ordinary.state(), await recorded.state()];
    for (const [name, values] of expected) expect(found.get(name), name).toEqual(values);
  } finally {
    ordinary.dispose();
    recorded.dispose();
  }
}

describe.skipIf(backend === undefined)(
  'recorded steps equal ordinary ones, with a resume',
  { timeout: 600_000 },
  () => {
    it.each(cases)('%s', async (method) => {
      await expectEqual({ ...small, method: standardCatalog.method(method) });
    });
    it('dgl without momentum', async () => {
      const createOptimizer = () => sgd({ learningRate: 0.05, momentum: 0 });
      await expectEqual({ ...small, method: standardCatalog.method('dgl(head: 1c2f)'), createOptimizer });
    });
  },
);
