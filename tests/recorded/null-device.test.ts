import { cifarResNet, visionTransformer } from '@localgrad/backbones';
import { backprop } from '@localgrad/backprop';
import { dgl } from '@localgrad/dgl';
import { greedy } from '@localgrad/greedy';
import { gatherScalars } from '@localgrad/kernels';
import { mlaan } from '@localgrad/mlaan';
import { clipped, sgd } from '@localgrad/nn/optimizers';
import * as tf from '@tensorflow/tfjs';
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

it.skipIf(runtime === undefined)('a recorded step of a vision transformer has few dispatches', async () => {
  const factory = visionTransformer({ width: 32, heads: 4, depth: 6, patch: 4 });
  const method = dgl({ head: 'class-token' });
  const training = createTraining({ factory, method, modules: 3, side: 32, batch: 2 });
  for (let index = 0; index < 4; index++) await training.losses(index);
  const { recording } = training.step;
  if (recording?.mode !== 'recorded') expect.unreachable();
  expect(recording.dispatches).toBeLessThanOrEqual(280);
  training.dispose();
});

it.skipIf(runtime === undefined)('steps whose gradients are clipped are recorded', { timeout: 300_000 }, async () => {
  const training = createTraining({
    ...{ factory: cifarResNet({ depth: 8 }), method: dgl({ head: '1c2f' }), modules: 2, side: 8, batch: 2 },
    createOptimizer: () => clipped(sgd({ learningRate: 0.1 }), { norm: 1 }),
  });
  for (let index = 0; index < 4; index++) await training.losses(index);
  expect(training.step.recording).toMatchObject({ mode: 'recorded' });
  training.dispose();
});

it.skipIf(runtime === undefined)(
  'steps are recorded once the learning rate is not 0, with factors for some weights',
  { timeout: 300_000 },
  async () => {
    const training = createTraining({
      ...{ factory: cifarResNet({ depth: 8 }), method: dgl({ head: '1c2f' }), modules: 2, side: 8, batch: 2 },
      createOptimizer: () =>
        sgd({ learningRate: 0.1, parameters: [{ match: '*.conv1.weight', learningRateScale: 2 }] }),
      learningRate: { config: {}, rate: ({ step }) => (step < 8 || step === 12 ? 0 : 0.1) },
    });
    const modes: (string | undefined)[] = [];
    for (let index = 0; index < 14; index++) {
      await training.losses(index);
      modes.push(training.step.recording?.mode);
    }
    expect(new Set(modes.slice(0, 9))).toEqual(new Set(['tracing']));
    expect(new Set(modes.slice(11))).toEqual(new Set(['recorded']));
    training.dispose();
  },
);

/** Counts the dispatches of `work`. */
async function dispatchesOf(work: () => Promise<unknown>): Promise<number> {
  const encoder: unknown = Reflect.get(globalThis, 'GPUComputePassEncoder');
  if (typeof encoder !== 'function') throw new Error('Dawn is missing.');
  const { prototype } = encoder;
  const { dispatchWorkgroups } = prototype;
  let count = 0;
  prototype.dispatchWorkgroups = function (...sizes: number[]) {
    count++;
    dispatchWorkgroups.apply(this, sizes);
  };
  try {
    await work();
    return count;
  } finally {
    prototype.dispatchWorkgroups = dispatchWorkgroups;
  }
}

describe.skipIf(runtime === undefined)('the losses of recorded steps', { timeout: 300_000 }, () => {
  it('are read together without a dispatch', async () => {
    const training = createTraining({
      factory: cifarResNet({ depth: 8 }),
      method: greedy(),
      modules: 3,
      side: 8,
      batch: 2,
    });
    const scalars: tf.Scalar[] = [];
    for (let index = 0; index < 6; index++) scalars.push(...training.runStep(index).losses.values());
    const before = tf.memory().numTensors;
    const read = async (vector: tf.Tensor) => {
      expect((await vector.data()).length).toBe(scalars.length);
      vector.dispose();
    };
    expect(await dispatchesOf(() => read(tf.stack(scalars)))).toBeGreaterThan(2);
    expect(await dispatchesOf(() => read(gatherScalars(scalars)))).toBe(0);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(scalars);
    training.dispose();
  });
});

it.skipIf(runtime === undefined)('the backend keeps its GPU object, without which Dawn crashes', async () => {
  const gpu: unknown = Reflect.get(tf.backend(), Symbol.for('localgrad.gpuOfBackend'));
  expect(gpu).toBeDefined();
  const again = await startNullDevice();
  expect(Reflect.get(tf.backend(), Symbol.for('localgrad.gpuOfBackend'))).toBe(gpu);
  again?.dispose();
});
