import { cifarResNet } from '@localgrad/backbones';
import { createNetwork, formatReference, resolvePartition, startOfTraining } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan, createTrainStep } from '@localgrad/engine';
import { sgd } from '@localgrad/nn/optimizers';
import { createRandom, createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type LamOptions, lam } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const host = dgl({ head: '0c1f' });

function setUp(options: LamOptions) {
  const scope = createScope(3);
  const backbone = cifarResNet({ depth: 14, widths: [2, 2, 4, 8] }).build({ inputShape: [8, 8, 3], classes: 3, scope });
  const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 4 }));
  const plan = lam(host, options).plan(network);
  return { plan, compiled: compilePlan(network, plan, { scope }) };
}

describe("leap 'next'", () => {
  it('uses only the block after each module', () => {
    const { plan } = setUp({ leap: 'next' });
    const chains = plan.objectives.map(({ head }) =>
      head.factory?.borrows?.map(({ reference }) => formatReference(reference)),
    );
    // Modules end with (1,0), (1,1), (2,1), (3,1).
    expect(chains).toEqual([['(1,1)'], ['(2,0)'], ['(3,0)'], undefined]);
  });
});

describe("scale 'learned'", () => {
  it('adds one trained number per block that has both copies, and trains it', () => {
    const { compiled } = setUp({ leap: 'rule', scale: 'learned', emaBlocks: 'all' });
    const scales = [...compiled.parameters.keys()].filter((name) => name.includes('.scale.'));
    expect(scales.slice(0, 3)).toEqual([0, 1, 2].map((index) => `heads.module0.leap.scale.${index}.weight`));
    expect(setUp({ leap: 'rule', scale: 'learned', chain: 'ema' }).compiled.parameters.size).toBeLessThan(
      compiled.parameters.size,
    );
    const random = createRandom(2);
    const images = tf.tensor4d(
      Float32Array.from({ length: 4 * 192 }, () => random.normal()),
      [4, 8, 8, 3],
    );
    const targets = { labels: tf.tensor1d([0, 1, 2, 0], 'int32') };
    const trainStep = createTrainStep({ compiled, optimizer: sgd({ learningRate: 0.1, weightDecay: 0.01 }) });
    const value = (name: string) => compiled.parameters.get(name)?.value.dataSync()[0];
    expect(scales.map(value)).toEqual(scales.map(() => 1));
    trainStep.run({ images, targets }, startOfTraining);
    for (const name of scales) expect(value(name), name).not.toBe(1);
  });

  it("changes nothing in a chain of averages only, and 'none' is the default", () => {
    const names = (options: LamOptions) => [...setUp(options).compiled.parameters.keys()];
    expect(names({ chain: 'ema', scale: 'learned' })).toEqual(names({ chain: 'ema' }));
    expect(names({ scale: 'none' })).toEqual(names({}));
    expect(names({})).not.toContain('heads.module0.leap.scale.0.weight');
  });
});
