import { cifarResNet, tinyNet } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { backprop } from '@localgrad/backprop';
import {
  type BackboneFactory,
  createNetwork,
  type LocalLearningMethod,
  resolvePartition,
  type Shape3,
  startOfTraining,
} from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { type CompiledPlan, compilePlan, createTrainStep, type MemoryPolicy } from '@localgrad/engine';
import { greedy } from '@localgrad/greedy';
import { MemoryMeter } from '@localgrad/kernels';
import { createRandom, createScope, headNames, type RootScope, sgd } from '@localgrad/nn';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface Rig {
  readonly compiled: CompiledPlan;
  readonly scope: RootScope;
  /** Predicted peak bytes of a step. */
  predict(): number;
  /** Runs steps on one batch; returns the last losses. */
  run(steps: number): number[];
  /** Concatenated values of all parameters. */
  weights(): number[];
  dispose(): void;
}

function rig(
  factory: BackboneFactory,
  method: LocalLearningMethod,
  modules: number,
  imageShape: Shape3,
  batchSize: number,
  memory: MemoryPolicy = 'residuals',
  accumulate = 1,
): Rig {
  const scope = createScope(3);
  const backbone = factory.build({ inputShape: imageShape, classes: 10, scope });
  const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules }));
  const compiled = compilePlan(network, method.plan(network), { scope, memory });
  const optimizer = sgd({ learningRate: 0.05 });
  const trainStep = createTrainStep({ compiled, optimizer, accumulate });
  const random = createRandom(9);
  const size = batchSize * imageShape[0] * imageShape[1] * imageShape[2];
  const images = tf.tensor4d(
    Float32Array.from({ length: size }, () => random.normal()),
    [batchSize, ...imageShape],
  );
  const labels = tf.tensor1d(
    Array.from({ length: batchSize }, (_, index) => index % 10),
    'int32',
  );
  return {
    compiled,
    scope,
    predict: () => trainStep.predict(batchSize).peakBytes,
    run(steps) {
      let last: number[] = [];
      for (let step = 0; step < steps; step++) {
        const { losses } = trainStep.run({ images, targets: { labels } }, startOfTraining);
        last = [...losses.values()].map((loss) => loss.dataSync()[0] as number);
        for (const loss of losses.values()) loss.dispose();
      }
      return last;
    },
    weights: () => [...compiled.parameters.values()].flatMap(({ value }) => [...value.dataSync()]),
    dispose() {
      optimizer.dispose();
      tf.dispose([images, labels]);
      for (const parameter of scope.all().values()) parameter.dispose();
    },
  };
}

const tinyShape: Shape3 = [8, 8, 2];

describe('training steps on wasm', () => {
  let backend: BackendHandle;
  beforeAll(async () => {
    backend = await selectBackend('wasm');
  });
  afterAll(() => backend.dispose());

  it.each([
    [1, backprop(), 'residuals', 1],
    [4, greedy(), 'residuals', 1],
    [16, greedy(), 'residuals', 1],
    [16, dgl({ head: '1c2f' }), 'residuals', 1],
    [4, backprop(), 'recompute', 1],
    [1, backprop(), 'residuals', 4],
    [4, greedy(), 'residuals', 3],
  ] as const)(
    'ResNet-32, K = %i: predicted and measured peak memory agree within 10 %',
    (modules, method, memory, accumulate) => {
      const meter = new MemoryMeter();
      const rigged = rig(cifarResNet({ depth: 32 }), method, modules, [32, 32, 3], 8, memory, accumulate);
      rigged.run(1);
      meter.reset();
      rigged.run(1);
      const predicted = rigged.predict();
      expect(meter.peakBytes / predicted).toBeGreaterThan(0.9);
      expect(meter.peakBytes / predicted).toBeLessThan(1.1);
      rigged.dispose();
      expect(meter.liveBytes).toBe(0);
      meter.detach();
    },
  );

  const methods: [string, LocalLearningMethod][] = [
    ['backprop', backprop()],
    ['greedy', greedy()],
    ...headNames.map((head): [string, LocalLearningMethod] => [`dgl with ${head}`, dgl({ head })]),
  ];

  it.each(methods)('%s leaks no tensors in 200 steps, and learns', (_, method) => {
    const rigged = rig(tinyNet(), method, 4, tinyShape, 10);
    const first = rigged.run(1);
    const tensors = tf.memory().numTensors;
    const available = backend.availableBytes();
    const last = rigged.run(199);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(Math.abs(available - backend.availableBytes())).toBeLessThan(64 * 1024);
    last.forEach((loss, index) => {
      expect(loss).toBeLessThan(first[index] as number);
    });
    rigged.dispose();
  });

  it('keep heap and number of tensors constant over 2,000 steps', () => {
    const rigged = rig(tinyNet({ blocks: 2 }), dgl({ head: '1c2f' }), 3, tinyShape, 4);
    rigged.run(50);
    const tensors = tf.memory().numTensors;
    const available = backend.availableBytes();
    rigged.run(1950);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(Math.abs(available - backend.availableBytes())).toBeLessThan(64 * 1024);
    rigged.dispose();
  });

  it('are bit-identical for equal seeds, with and without recomputation', () => {
    const once = (memory: MemoryPolicy) => {
      const rigged = rig(tinyNet(), dgl(), 3, tinyShape, 10, memory);
      rigged.run(5);
      const weights = rigged.weights();
      rigged.dispose();
      return weights;
    };
    const straight = once('residuals');
    expect(once('residuals')).toEqual(straight);
    expect(once('recompute')).toEqual(straight);
  });

  it('have lower peak memory with more modules', () => {
    const peak = (method: LocalLearningMethod, modules: number) => {
      const rigged = rig(cifarResNet({ depth: 32 }), method, modules, [32, 32, 3], 8);
      const { stepBytes } = rigged.compiled.predict(64);
      rigged.dispose();
      return stepBytes;
    };
    const endToEnd = peak(backprop(), 1);
    expect(peak(greedy(), 4)).toBeLessThan(0.5 * endToEnd);
    expect(peak(dgl({ head: '1c2f' }), 16)).toBeLessThan(0.25 * endToEnd);
  });
});
