import { cifarResNet } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import { clockAt, createNetwork } from '@localgrad/core';
import { compilePlan, createTrainStep, describePlan } from '@localgrad/engine';
import { withLam } from '@localgrad/lam';
import { withMlm } from '@localgrad/mlm';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import { describeMethod } from '@localgrad/testing';
import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import lookahead from './index.js';

await selectBackend('wasm');

describeMethod('lookahead', () => lookahead(), {
  fromConfig: ({ method: _, ...options }) => lookahead(options),
  decorators: { mlm: withMlm() },
});

it('moves the averages of borrowed blocks, and describes them', { timeout: 60_000 }, async () => {
  const scope = createScope(1);
  const backbone = cifarResNet({ depth: 8, width: 2 }).build({ inputShape: [8, 8, 3], classes: 3, scope });
  const network = createNetwork(backbone, [2, 1, 1]);
  const compiled = compilePlan(network, lookahead({ momentum: 0.5 }).plan(network), { scope });
  expect(JSON.stringify(describePlan(compiled, 8))).toContain('layer2.0');
  const [{ average, live }] = compiled.averages;
  const before = await average.value.data();
  const batch = {
    images: tf.randomNormal([6, 8, 8, 3], 0, 1, 'float32', 1),
    targets: { labels: tf.tensor1d([0, 1, 2, 0, 1, 2], 'int32') },
  };
  const { losses } = createTrainStep({ compiled, optimizer: sgd({ learningRate: 0.1 }) }).run(batch, clockAt(0, 1, 1));
  tf.dispose([...losses.values()]);
  const [moved, now] = [await average.value.data(), await live.value.data()];
  for (const [index, value] of moved.entries()) expect(value).toBeCloseTo(0.5 * before[index] + 0.5 * now[index], 6);
});

it('is rejected by lam, which names the head and the blocks that it already uses', () => {
  const scope = createScope(1);
  const backbone = cifarResNet({ depth: 8, width: 2 }).build({ inputShape: [8, 8, 3], classes: 3, scope });
  const network = createNetwork(backbone, [2, 1, 1]);
  expect(() => withLam()(lookahead()).plan(network)).toThrow(
    /every head that would get a leap chain already uses blocks of the network \('lookahead' of module0: \(2,0\)/,
  );
});
