import { selectBackend } from '@localgrad/backends';
import { clockAt, createNetwork, resolvePartition, startOfTraining } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan, createExecutor, createTrainStep, describePlan } from '@localgrad/engine';
import { costOf } from '@localgrad/nn/cost';
import { adamw } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import { describeBackbone } from '@localgrad/testing';
import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import residualNetwork from './index.js';

await selectBackend('wasm');

describeBackbone('residualNetwork', () => residualNetwork({ width: 4, stages: 2, rate: 0.3 }));

function compile(memory = 'residuals') {
  const scope = createScope(1);
  const backbone = residualNetwork({ width: 4, rate: 0.3 }).build({ inputShape: [8, 8, 3], classes: 3, scope });
  const partition = resolvePartition(backbone.blocks, { modules: 3, strategy: 'balanced-memory' }, costOf);
  const network = createNetwork(backbone, partition);
  return compilePlan(network, dgl({ head: '0c1f' }).plan(network), { scope, memory });
}

it('is cut by measured memory, and has a predicted step though no block states its cost', () => {
  const compiled = compile();
  const { totals } = describePlan(compiled, 16);
  expect(totals.unitsOfWork).toBeGreaterThan(3);
  expect(compiled.predict(16).stepBytes).toBeGreaterThan(4 * 16 * 8 * 8 * 3);
});

it('trains, with the same random numbers in a second run and others under another seed', {
  timeout: 120_000,
}, async () => {
  const batch = {
    images: tf.randomNormal([12, 8, 8, 3], 0, 1, 'float32', 1),
    targets: { labels: tf.tensor1d([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2], 'int32') },
  };
  const run = async (seed) => {
    const compiled = compile();
    const step = createTrainStep({ compiled, optimizer: adamw({ learningRate: 0.01 }), seed });
    const losses = [];
    for (let index = 0; index < 40; index++) {
      const result = step.run(batch, clockAt(index, 1, 40));
      losses.push((await result.losses.get('final').data())[0]);
      tf.dispose([...result.losses.values(), ...result.terms.values()]);
    }
    return losses;
  };
  const losses = await run(1);
  expect(losses.at(-1)).toBeLessThan(0.7 * losses[0]);
  expect(await run(1)).toEqual(losses);
  expect(await run(2)).not.toEqual(losses);
});

it('has the same gradients where activations are recomputed instead of kept', { timeout: 120_000 }, async () => {
  const batch = {
    images: tf.randomNormal([12, 8, 8, 3], 0, 1, 'float32', 1),
    targets: { labels: tf.tensor1d([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2], 'int32') },
  };
  const gradientsOf = async (memory, step) => {
    const gradients = new Map();
    const onGradients = (group) => {
      for (const { parameter, gradient } of group) gradients.set(parameter.name, gradient);
    };
    const noise = { seed: 1, step, part: 0 };
    createExecutor(compile(memory)).step(batch, { clock: startOfTraining, noise, onGradients });
    return new Map(await Promise.all([...gradients].map(async ([key, tensor]) => [key, await tensor.data()])));
  };
  const kept = await gradientsOf('residuals', 3);
  expect(kept.size).toBeGreaterThan(10);
  expect(await gradientsOf('recompute', 3)).toEqual(kept);
  expect(await gradientsOf('residuals', 4)).not.toEqual(kept);
});

it('weight decay is masked to filters and matrices by parameter', async () => {
  const scope = createScope(1);
  residualNetwork({ width: 4 }).build({ inputShape: [8, 8, 3], classes: 3, scope });
  const parameters = [...scope.all().values()].filter(({ kind }) => kind === 'weight');
  for (const parameter of parameters) parameter.assign(tf.ones(parameter.shape));
  const optimizer = adamw({
    learningRate: 1,
    weightDecay: 0.1,
    decay: 'matrices',
    parameters: [{ match: 'stem.*', learningRateScale: 0.5 }],
  });
  const gradients = parameters.map((parameter) => ({ parameter, gradient: tf.zeros(parameter.shape) }));
  optimizer.update(gradients, { learningRate: 1, clock: startOfTraining });
  for (const { name, shape, value } of parameters) {
    const decay = shape.length < 2 ? 0 : name.startsWith('stem.') ? 0.05 : 0.1;
    expect((await value.data())[0], name).toBeCloseTo(1 - decay, 6);
  }
  optimizer.dispose();
});
