import { cifarResNet, mlp } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { backprop } from '@localgrad/backprop';
import {
  type BackboneBlock,
  type BackboneFactory,
  clockAt,
  createNetwork,
  type LocalLearningMethod,
  resolvePartition,
} from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import {
  type Batch,
  compilePlan,
  createTrainStep,
  partOf,
  phaseWork,
  type TrainStep,
  type TrainStepOptions,
} from '@localgrad/engine';
import { infopro } from '@localgrad/infopro';
import { MemoryMeter } from '@localgrad/kernels';
import { lam } from '@localgrad/lam';
import { mlm } from '@localgrad/mlm';
import { sequential as chain } from '@localgrad/nn/blocks';
import { sgd } from '@localgrad/nn/optimizers';
import { createRandom, createScope } from '@localgrad/nn/random';
import { predsim } from '@localgrad/predsim';
import { sequential } from '@localgrad/sequential';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asynchronous } from './index.js';

let backend: BackendHandle;

beforeAll(async () => {
  backend = await selectBackend('wasm', { threads: 1 });
});
afterAll(() => backend.dispose());

const batchSize = 6;
const steps = 5;

/** A network of four modules, with a step of its own. */
function rig(
  method: LocalLearningMethod,
  createStep: (options: TrainStepOptions) => TrainStep,
  accumulate = 1,
  factory: BackboneFactory = cifarResNet({ depth: 8, widths: [2, 2, 3, 3] }),
) {
  const scope = createScope(3);
  const backbone = factory.build({ inputShape: [8, 8, 1], classes: 4, scope });
  const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 4 }));
  const compiled = compilePlan(network, method.plan(network), { scope });
  const optimizer = sgd({ learningRate: 0.1, momentum: 0.9 });
  const step = createStep({ compiled, optimizer, accumulate, seed: 9 });
  const dispose = () => {
    step.dispose();
    optimizer.dispose();
    for (const parameter of scope.all().values()) parameter.dispose();
  };
  const weights = () => [...compiled.parameters].map(([name, { value }]) => `${name} ${[...value.dataSync()]}`);
  return { compiled, step, weights, dispose };
}

/** Trains on different batches, from a step on; returns the losses of each step. */
function train(step: TrainStep, from = 0, to = steps): Record<string, number>[] {
  return Array.from({ length: to - from }, (_, index) => {
    const now = from + index;
    const { images, targets, dispose } = batchOf(now);
    const { losses, terms } = step.run({ images, targets }, clockAt(now, 1, steps));
    dispose();
    const read = Object.fromEntries([...losses].map(([id, loss]) => [id, loss.dataSync()[0] ?? Number.NaN]));
    tf.dispose([...losses.values(), ...terms.values()]);
    return read;
  });
}

function batchOf(index: number): Batch & { dispose(): void } {
  const random = createRandom(4, `batch ${index}`);
  const raw = tf.tensor4d(
    Array.from({ length: batchSize * 64 }, () => random.uniform()),
    [batchSize, 8, 8, 1],
  );
  const labels = tf.tensor1d(
    Array.from({ length: batchSize }, () => random.integer(4)),
    'int32',
  );
  const images = tf.sub<tf.Tensor4D>(raw, 0.5);
  return { images, targets: { labels, images: raw }, dispose: () => tf.dispose([raw, labels, images]) };
}

const local: [string, LocalLearningMethod][] = [
  ['dgl', dgl()],
  ['infopro', infopro()],
  ['predsim', predsim()],
  ['lam(dgl)', lam(dgl())],
  ['sequential(dgl)', sequential(dgl())],
];

describe('asynchronous', () => {
  it.each(local)('computes the same bits as the synchronous step with equal paces: %s', (_, method) => {
    const expected = rig(method, createTrainStep);
    const losses = train(expected.step);
    const actual = rig(method, asynchronous({ bufferSize: 1 }));
    expect(train(actual.step)).toEqual(losses);
    expect(actual.weights()).toEqual(expected.weights());
    expected.dispose();
    actual.dispose();
  });

  it('computes the same bits with gradient accumulation and larger buffers', () => {
    const expected = rig(infopro(), createTrainStep, 2);
    const losses = train(expected.step);
    const actual = rig(infopro(), asynchronous({ bufferSize: 3, sampling: 'lifo' }), 2);
    expect(train(actual.step)).toEqual(losses);
    expect(actual.weights()).toEqual(expected.weights());
    expected.dispose();
    actual.dispose();
  });

  it('computes the same bits with dropout, also where modules begin to train later', () => {
    const network = mlp({ layers: 4, width: 8, dropout: 0.3 });
    for (const method of [dgl({ head: '0c2f' }), sequential(dgl({ head: '0c2f' }))]) {
      const expected = rig(method, createTrainStep, 2, network);
      const losses = train(expected.step);
      const actual = rig(method, asynchronous(), 2, network);
      expect(train(actual.step)).toEqual(losses);
      expect(actual.weights()).toEqual(expected.weights());
      expected.dispose();
      actual.dispose();
    }
  });

  it('starts again after it is disposed', () => {
    const { step, dispose } = rig(dgl(), asynchronous({ bufferSize: 2, order: 'random' }));
    const before = step.memory?.values();
    train(step);
    expect(step.memory?.values()).not.toEqual(before);
    step.dispose();
    expect(step.memory?.values()).toEqual(before);
    expect(Object.keys(train(step)[0] ?? {})).toEqual(['module0']);
    dispose();
  });

  it('trains a slow module in every second step only', () => {
    const { step, dispose } = rig(dgl(), asynchronous({ slow: [{ module: 1, pace: 2 }] }));
    const ids = train(step).map((losses) => Object.keys(losses).length);
    expect(ids).toEqual([4, 3, 4, 3, 4]);
    dispose();
  });

  it('counts the work of the modules that were trained', () => {
    const workOf = (createStep: (options: TrainStepOptions) => TrainStep) => {
      const { step, compiled, dispose } = rig(dgl(), createStep);
      const works = Array.from({ length: 4 }, (_, now) => {
        const { images, targets, dispose: release } = batchOf(now);
        const { losses, terms, multiplyAccumulatesPerImage } = step.run({ images, targets }, clockAt(now, 1, 4));
        release();
        tf.dispose([...losses.values(), ...terms.values()]);
        return multiplyAccumulatesPerImage;
      });
      const [phase] = compiled.phases;
      const slow = phaseWork(partOf(compiled, [1, 1]), partOf(compiled, [1, 1]).phases[0]);
      dispose();
      return { works, slow, whole: phaseWork(compiled, phase) };
    };
    const { works, whole } = workOf(createTrainStep);
    expect(works).toEqual([whole, whole, whole, whole]);
    expect(workOf(asynchronous()).works).toEqual(works);
    const { works: ofSlow, slow } = workOf(asynchronous({ slow: [{ module: 1, pace: 2 }] }));
    expect(slow).toBeGreaterThan(0);
    expect(ofSlow).toEqual([whole, whole - slow, whole, whole - slow]);
  });

  it('reaches a constant number of tensors, stays within the predicted memory, and frees everything', () => {
    const before = tf.memory().numTensors;
    const meter = new MemoryMeter();
    const { step, dispose } = rig(infopro(), asynchronous({ bufferSize: 2, order: 'random' }));
    const counts = Array.from({ length: 40 }, (_, now) => {
      train(step, now, now + 1);
      return tf.memory().numTensors;
    });
    expect(new Set(counts.slice(20)).size).toBe(1);
    const predicted = step.predict(batchSize).peakBytes;
    expect(meter.peakBytes).toBeLessThanOrEqual(predicted);
    expect(meter.peakBytes).toBeGreaterThan(0.9 * predicted);
    meter.detach();
    dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each<[string, LocalLearningMethod, string]>([
    ['backprop', backprop(), "loss 'final' of 'backprop' trains modules 0 to 3"],
    ['mlm(dgl)', mlm(dgl()), "' of 'mlm(dgl)' trains modules 0 to 1"],
  ])('rejects losses that train several modules: %s', (_, method, message) => {
    expect(() => rig(method, asynchronous())).toThrow(message);
  });

  it('rejects heads that train blocks of other modules', () => {
    expect(() => rig(lam(dgl(), { share: 'stage', emaBlocks: 'none' }), asynchronous())).toThrow(
      /together with losses on modules/,
    );
  });

  it('rejects blocks of several modules that share weights', () => {
    const plain = cifarResNet({ depth: 8, widths: [2, 2, 3, 3] });
    const tied: BackboneFactory = {
      ...plain,
      build(options) {
        const built = plain.build(options);
        const [stem, first, ...others] = built.blocks;
        if (stem === undefined || first === undefined) throw new Error('The network has no blocks.');
        const again: BackboneBlock = { reference: [1, 1], block: chain('again', [first.block]) };
        return { ...built, blocks: [stem, first, again, ...others] };
      },
    };
    expect(() => rig(dgl(), asynchronous(), 1, tied)).toThrow(
      /blocks of modules 0, 1 share 'layer1\.0\.conv1\.weight'/,
    );
  });

  it('rejects slow modules that the network does not have', () => {
    expect(() => rig(dgl(), asynchronous({ slow: [{ module: 4, pace: 2 }] }))).toThrow(
      "option 'slow' is 4; allowed: module indices from 0 to 3",
    );
  });
});
