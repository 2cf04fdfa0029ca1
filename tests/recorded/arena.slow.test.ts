import { cifarResNet } from '@localgrad/backbones';
import { backprop } from '@localgrad/backprop';
import { recordedStep } from '@localgrad/bench';
import { dgl } from '@localgrad/dgl';
import { greedy } from '@localgrad/greedy';
import { mlaan } from '@localgrad/mlaan';
import { afterAll, describe, expect, it } from 'vitest';
import { startNullDevice } from './null-device.fixture.js';
import { createTraining } from './training.fixture.js';

const runtime = await startNullDevice();
afterAll(() => runtime?.dispose());

describe.skipIf(runtime === undefined)('the arena that explain reports', { timeout: 120_000 }, () => {
  it.each([
    ['backprop', backprop(), 1],
    ['dgl', dgl(), 3],
    ['dgl(head: 1c2f)', dgl({ head: '1c2f' }), 3],
    ['mlaan(greedy)', mlaan(greedy()), 3],
  ] as const)('of %s equals the one that training allocates', async (method, training, modules) => {
    const network = {
      backbone: 'resnet8',
      modules,
      partition: 'even',
      stemModule: 'merged',
      memory: 'residuals',
    } as const;
    const reported = await recordedStep({ ...network, method, batch: 3, image: [8, 8, 3], classes: 4 });
    const trained = createTraining({
      factory: cifarResNet({ depth: 8 }),
      method: training,
      modules,
      side: 8,
      batch: 3,
    });
    try {
      for (let index = 0; index < 4; index++) await trained.losses(index);
      expect(reported.mode).toBe('recorded');
      expect(trained.step.recording).toEqual(reported);
    } finally {
      trained.dispose();
    }
  });
});
