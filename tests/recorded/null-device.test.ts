import { cifarResNet } from '@localgrad/backbones';
import { backprop } from '@localgrad/backprop';
import { dgl } from '@localgrad/dgl';
import { greedy } from '@localgrad/greedy';
import { mlaan } from '@localgrad/mlaan';
import { afterAll, describe, expect, it } from 'vitest';
import { startNullDevice } from './null-device.fixture.js';
import { createTraining } from './training.fixture.js';

const runtime = await startNullDevice();
afterAll(() => runtime?.dispose());

describe.skipIf(runtime === undefined)('a recorded step of ResNet-32', { timeout: 300_000 }, () => {
  it.each([
    ['end to end', backprop(), 1, 320],
    ['with DGL, K = 16', dgl({ head: '1c2f' }), 16, 700],
    ['with MLAAN, K = 16', mlaan(greedy()), 16, 2400],
  ] as const)('%s replays few dispatches in an arena close to its live tensors', async (_, method, modules, most) => {
    const training = createTraining({ factory: cifarResNet({ depth: 32 }), method, modules, side: 32, batch: 2 });
    const modes: (string | undefined)[] = [];
    for (let index = 0; index < 5; index++) {
      // The read throws if the device reported an error.
      await training.losses(index);
      modes.push(training.step.recording?.mode);
    }
    expect(modes).toEqual(['tracing', 'tracing', 'recorded', 'recorded', 'recorded']);
    const { recording } = training.step;
    if (recording?.mode !== 'recorded') expect.unreachable();
    expect(recording.dispatches).toBeLessThanOrEqual(most);
    expect(recording.arenaBytes).toBeGreaterThanOrEqual(recording.peakBytes);
    expect(recording.arenaBytes / recording.peakBytes).toBeLessThan(1.7);
    training.dispose();
  });
});
