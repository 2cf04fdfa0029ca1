import { cifarResNet } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import { clockAt, createNetwork } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan, createTrainStep } from '@localgrad/engine';
import { withLam } from '@localgrad/lam';
import { withMlm } from '@localgrad/mlm';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import { describeMethod } from '@localgrad/testing';
import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import attentionHead from './index.js';

await selectBackend('wasm');

describeMethod('dgl with attention heads', () => dgl({ head: attentionHead({ adjustment: 0.5 }) }), {
  decorators: { mlm: withMlm(), lam: withLam() },
});

function compile(classes) {
  const scope = createScope(1);
  const backbone = cifarResNet({ depth: 8, width: 2 }).build({ inputShape: [8, 8, 3], classes, scope });
  const network = createNetwork(backbone, [2, 2]);
  return compilePlan(network, dgl({ head: attentionHead() }).plan(network), { scope });
}

async function trainStep(compiled, labels) {
  const batch = {
    images: tf.randomNormal([labels.length, 8, 8, 3], 0, 1, 'float32', 1),
    targets: { labels: tf.tensor1d(labels, 'int32') },
  };
  const { losses, terms } = createTrainStep({ compiled, optimizer: sgd({ learningRate: 0.1 }) }).run(
    batch,
    clockAt(0, 1, 1),
  );
  const values = await Promise.all([...losses.values()].map((loss) => loss.data()));
  tf.dispose([batch, ...losses.values(), ...terms.values()]);
  return values.map(([loss]) => loss);
}

const countsOf = (compiled) => [...compiled.parameters.values()].find(({ kind }) => kind === 'state');

it('counts the classes of each batch in state that belongs to the network', { timeout: 60_000 }, async () => {
  const compiled = compile(3);
  await trainStep(compiled, [0, 1, 1, 2]);
  await trainStep(compiled, [1, 1, 1, 1]);
  expect([...(await countsOf(compiled).value.data())]).toEqual([1, 6, 1]);
});

it('trains with as many classes as ImageNet', { timeout: 60_000 }, async () => {
  const compiled = compile(1000);
  const losses = await trainStep(compiled, [0, 255, 256, 999]);
  expect(losses.length).toBe(2);
  for (const loss of losses) expect(Math.abs(loss - Math.log(1000))).toBeLessThan(3);
  const counts = await countsOf(compiled).value.data();
  expect([...counts.keys()].filter((label) => counts[label] > 0)).toEqual([0, 255, 256, 999]);
});

it('rejects an invalid option', () => {
  expect(() => attentionHead({ adjustment: -1 })).toThrow(/'adjustment' is -1; allowed: numbers ≥ 0/);
});
