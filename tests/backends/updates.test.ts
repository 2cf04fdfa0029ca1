import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { type Optimizer, Parameter, startOfTraining } from '@localgrad/core';
import { adam, adamw, clipped, sgd } from '@localgrad/nn/optimizers';
import { createRandom } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Set by `npm run test:backend -- NAME`. */
const name = process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm';

const optimizers: Readonly<Record<string, () => Optimizer>> = {
  sgd: () => sgd({ learningRate: 0.1, weightDecay: 1e-3 }),
  'sgd without Nesterov momentum': () => sgd({ learningRate: 0.1, nesterov: false }),
  'sgd without momentum': () => sgd({ learningRate: 0.1, momentum: 0, weightDecay: 1e-3 }),
  'clipped sgd': () => clipped(sgd({ learningRate: 0.1 }), { norm: 10 }),
  adam: () => adam({ learningRate: 0.01, weightDecay: 1e-3 }),
  adamw: () => adamw({ learningRate: 0.01, weightDecay: 0.1 }),
};

const steps = 30;
const values = (size: number, seed: number) => {
  const random = createRandom(seed);
  return Float32Array.from({ length: size }, () => random.normal());
};

/** The weights after 30 updates by random gradients, with a learning rate that changes. */
async function trained(create: () => Optimizer): Promise<Float32Array> {
  const optimizer = create();
  const parameter = new Parameter('w', tf.tensor1d(values(1000, 0)));
  for (let step = 1; step <= steps; step++) {
    const gradient = tf.tensor1d(values(1000, step));
    const learningRate = Number(optimizer.config.learningRate) / step;
    optimizer.update([{ parameter, gradient }], { learningRate, clock: startOfTraining });
  }
  const found = Float32Array.from(await parameter.value.data());
  optimizer.dispose();
  parameter.dispose();
  return found;
}

describe(`30 updates on ${name}`, () => {
  const expected = new Map<string, Float32Array>();
  let backend: BackendHandle;
  beforeAll(async () => {
    await tf.setBackend('cpu');
    for (const [key, create] of Object.entries(optimizers)) expected.set(key, await trained(create));
    backend = await selectBackend(name);
  });
  afterAll(() => backend.dispose());

  it.each(Object.entries(optimizers))('by %s equal those of the reference within 1e-6', async (key, create) => {
    const before = tf.memory().numTensors;
    const found = await trained(create);
    expect(tf.memory().numTensors).toBe(before);
    const wanted = expected.get(key) ?? new Float32Array();
    const difference = wanted.map((value, index) => Math.abs(value - (found[index] ?? Number.NaN)));
    expect(Math.max(...difference) / Math.max(...wanted.map(Math.abs))).toBeLessThan(1e-6);
  });
});
