import { cifarResNet } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { backprop } from '@localgrad/backprop';
import { createNetwork, recomputeMode, resolvePartition } from '@localgrad/core';
import { compilePlan, createExecutor, predict } from '@localgrad/engine';
import { createScope } from '@localgrad/nn/random';
import { activationToPyTorch, weightToPyTorch } from '@localgrad/nn/serialization';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assign, loadOracle, relativeL2 } from './load.js';

const full = loadOracle<{ loss: number; everyNth: Readonly<Record<string, number>> }>('e2e-resnet32.safetensors');
const TOLERANCE = 1e-4;

describe('the PyTorch reference, ResNet-32 end to end, on wasm', () => {
  let backend: BackendHandle;
  beforeAll(async () => {
    backend = await selectBackend('wasm');
  });
  afterAll(() => backend.dispose());

  const setUp = () => {
    const scope = createScope(1);
    const backbone = cifarResNet({ depth: 32 }).build({ inputShape: [32, 32, 3], classes: 10, scope });
    const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 1 }));
    const compiled = compilePlan(network, backprop().plan(network), { scope });
    for (const [name, parameter] of compiled.parameters)
      if (parameter.kind === 'weight') assign(parameter, full.weight(`weights/${name}`));
    const { shape, data } = full.activation('input/x');
    const images = tf.tensor4d(data, shape as [number, number, number, number]);
    return { network, compiled, images, targets: { labels: tf.tensor1d(full.labels('input/y'), 'int32') } };
  };
  /** Relative error over the entries in the fixture; `values` are in PyTorch's order. */
  const errorOf = (name: string, values: Float32Array) => {
    const nth = full.metadata.everyNth[name] ?? 1;
    return relativeL2(
      values.filter((_, index) => index % nth === 0),
      full.raw(name),
    );
  };

  it('matches the features of every block and the logits', () => {
    const { network, images } = setUp();
    let x = images;
    network.backbone.blocks.forEach(({ block }, index) => {
      x = block.forward(x, recomputeMode).output;
      const first = tf.slice(x, 0, 1);
      const name = `feat0/${index === 0 ? 'relu' : block.name}`;
      const features = activationToPyTorch({ shape: first.shape, data: first.dataSync() as Float32Array }).data;
      expect(errorOf(name, features), name).toBeLessThanOrEqual(TOLERANCE);
    });
    const logits = network.backbone.classifier.predict?.(x).dataSync() as Float32Array;
    expect(errorOf('logits', logits)).toBeLessThanOrEqual(TOLERANCE);
  });

  it('matches the loss, every gradient, all statistics, and the subsequent logits in evaluation mode', () => {
    const { network, compiled, images, targets } = setUp();
    const errors = new Map<string, number>();
    const { losses } = createExecutor(compiled).step(
      { images, targets },
      {
        onGradients: (group) => {
          for (const { parameter, gradient } of group) {
            const { data } = weightToPyTorch({ shape: gradient.shape, data: gradient.dataSync() as Float32Array });
            errors.set(parameter.name, errorOf(`grad/${parameter.name}`, data));
          }
        },
      },
    );
    expect([...errors.keys()].sort()).toEqual(full.names('grad/').sort());
    for (const [name, error] of errors) expect(error, `gradient of ${name}`).toBeLessThanOrEqual(TOLERANCE);
    expect(losses.get('final')?.dataSync()[0]).toBeCloseTo(full.metadata.loss, 4);
    const statistics = full.names('bn_after/');
    expect(statistics).toHaveLength(66);
    for (const name of statistics) {
      const statistic = compiled.parameters.get(name)?.value.dataSync() as Float32Array;
      expect(errorOf(`bn_after/${name}`, statistic), name).toBeLessThanOrEqual(TOLERANCE);
    }
    const evaluation = predict(network, images).dataSync() as Float32Array;
    expect(errorOf('eval_logits_after_one_train_forward', evaluation)).toBeLessThanOrEqual(TOLERANCE);
  });
});
