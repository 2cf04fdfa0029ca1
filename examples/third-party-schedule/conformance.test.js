import { cifarResNet } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import { clockAt, createNetwork } from '@localgrad/core';
import { createBatches, fashionMnistSubset, take } from '@localgrad/data';
import { compilePlan } from '@localgrad/engine';
import { greedy } from '@localgrad/greedy';
import { adamw } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import { train } from '@localgrad/train';
import { expect, it } from 'vitest';
import restarts from './index.js';

await selectBackend('wasm');

const ratesOf = (schedule, epochs, steps) =>
  Array.from({ length: epochs * steps }, (_, step) => schedule.rate(clockAt(step, epochs, steps)));

it('restarts at the learning rate after each cycle, and decays to the floor', () => {
  const rates = ratesOf(restarts({ learningRate: 2, cycles: 3, floor: 0.1 }), 6, 10);
  for (const start of [0, 20, 40]) {
    expect(rates[start]).toBeCloseTo(2, 10);
    const cycle = rates.slice(start, start + 20);
    expect(cycle).toEqual([...cycle].sort((a, b) => b - a));
    expect(cycle.at(-1)).toBeGreaterThan(0.2);
    expect(cycle.at(-1)).toBeLessThan(0.25);
  }
});

it('has a JSON config that rebuilds it', () => {
  const schedule = restarts({ learningRate: 0.1, cycles: 4 });
  const { schedule: _, ...options } = JSON.parse(JSON.stringify(schedule.config));
  expect(ratesOf(restarts(options), 4, 5)).toEqual(ratesOf(schedule, 4, 5));
});

it('rejects invalid options', () => {
  expect(() => restarts({ learningRate: 0.1, cycles: 1.5 })).toThrow(/'cycles' is 1\.5; allowed: positive integers/);
  expect(() => restarts({ learningRate: 0.1, cycle: 2 })).toThrow(/Did you mean 'cycles'/);
});

it('sets the rate of each step in training, with scaled rates and masked decay', { timeout: 120_000 }, async () => {
  const { train: images } = await fashionMnistSubset();
  const scope = createScope(1);
  const backbone = cifarResNet({ depth: 8, width: 2 }).build({ inputShape: images.imageShape, classes: 10, scope });
  const network = createNetwork(backbone, [2, 2]);
  const optimizer = adamw({
    learningRate: 0.01,
    weightDecay: 0.1,
    decay: 'matrices',
    parameters: [{ match: 'heads.*', learningRateScale: 0 }],
  });
  const compiled = compilePlan(network, greedy().plan(network), { scope });
  const valuesOf = async (isOf) => {
    const chosen = [...compiled.parameters.values()].filter((one) => one.kind === 'weight' && isOf(one.name));
    return Promise.all(chosen.map(({ value }) => value.data()));
  };
  const isOfHead = (name) => name.startsWith('heads.');
  const heads = await valuesOf(isOfHead);
  const others = await valuesOf((name) => !isOfHead(name));
  const rates = [];
  const batches = createBatches(take(images, 40), { batchSize: 10, shuffle: true, seed: 1 });
  await train({
    compiled,
    optimizer,
    batches,
    testBatches: batches,
    epochs: 2,
    logEvery: 1,
    learningRate: restarts({ learningRate: 0.01 }),
    observers: [{ observe: (event) => event.type === 'step-end' && rates.push(event.learningRate) }],
  });
  expect(rates).toEqual(ratesOf(restarts({ learningRate: 0.01 }), 2, 4));
  expect(heads.length).toBeGreaterThan(0);
  expect(await valuesOf(isOfHead)).toEqual(heads);
  expect(await valuesOf((name) => !isOfHead(name))).not.toEqual(others);
});
