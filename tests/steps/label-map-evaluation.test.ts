import { readFileSync } from 'node:fs';
import { cifarResNet, deepLabV3, fcnResNet, loadWeights } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { type BackboneFactory, createNetwork, type Network, resolvePartition, type Shape3 } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan } from '@localgrad/engine';
import { confusionMetrics } from '@localgrad/nn/losses';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope, type RootScope } from '@localgrad/nn/random';
import {
  activationFromPyTorch,
  readSafetensors,
  type StoredTensor,
  writeSafetensors,
} from '@localgrad/nn/serialization';
import { type BatchSource, evaluateNetwork, train } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const scales = [0.5, 0.75, 1, 1.25, 1.5, 1.75];

function fixture(name: string): ReadonlyMap<string, StoredTensor> {
  const url = new URL(`../../packages/backbones/src/weights/fixtures/${name}.safetensors`, import.meta.url);
  return readSafetensors(readFileSync(url)).tensors;
}

/** Of `multi-scale-evaluation.py`: images, label maps, averaged probabilities and their confusion matrices. */
const reference = fixture('torchvision-fcn-averaged');
/** Of the last layer; the other weights are those of `torchvision-fcn`. */
const scoresLayer = 'classifier.4.';

function referenceTensor(name: string): StoredTensor {
  const found = reference.get(name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

function referenceNetwork(scope: RootScope): Network {
  const factory = fcnResNet({ depth: 50, width: 2, layers: [1, 1, 2, 2] });
  const network = networkOf(factory, [32, 24, 3], scope);
  const state = [...fixture('torchvision-fcn')].filter(([name]) => name !== 'input' && name !== 'logits');
  const scores = [...reference].filter(([name]) => name.startsWith(scoresLayer));
  loadWeights(network, writeSafetensors({ tensors: new Map([...state, ...scores]), metadata: {} }));
  return network;
}

function networkOf(factory: BackboneFactory, inputShape: Shape3, scope: RootScope): Network {
  const { blocks, ...rest } = factory.build({ inputShape, classes: 5, scope });
  return createNetwork({ blocks, ...rest }, resolvePartition(blocks, { modules: 2 }));
}

function dispose(scope: RootScope): void {
  for (const parameter of scope.all().values()) parameter.dispose();
}

type Images = readonly [values: Float32Array, labels: Int32Array, shape: readonly [number, number, number, number]];

/** One batch per entry. */
function source(batches: readonly Images[]): BatchSource {
  return {
    samples: batches.reduce((sum, [, , [size]]) => sum + size, 0),
    batchSize: Math.max(...batches.map(([, , [size]]) => size)),
    batchesPerEpoch: batches.length,
    *epoch() {
      for (const [values, labels, shape] of batches) {
        const [size, height, width] = shape;
        const images = tf.tensor4d(values, [...shape]);
        const masks = tf.tensor3d(labels, [size, height, width], 'int32');
        yield { images, targets: { masks }, dispose: () => tf.dispose([images, masks]) };
      }
    },
  };
}

function referenceImages(): Images {
  const { shape, data } = activationFromPyTorch(referenceTensor('images') as StoredTensor & { data: Float32Array });
  const [size = 0, height = 0, width = 0, channels = 0] = shape;
  return [Float32Array.from(data), Int32Array.from(referenceTensor('labels').data), [size, height, width, channels]];
}

/** The part of a batch from sample `first` on. */
function samplesOf([values, labels, [, ...shape]]: Images, first: number, count: number): Images {
  const [height, width, channels] = shape;
  const pixels = height * width;
  return [
    values.slice(first * pixels * channels, (first + count) * pixels * channels),
    labels.slice(first * pixels, (first + count) * pixels),
    [count, ...shape],
  ];
}

function mirrored([values, labels, shape]: Images): Images {
  const [, , width, channels] = shape;
  const column = (index: number, depth: number) => {
    const [row, rest] = [Math.floor(index / (width * depth)), index % (width * depth)];
    const [x, channel] = [Math.floor(rest / depth), rest % depth];
    return (row * width + width - 1 - x) * depth + channel;
  };
  return [
    values.map((_, index) => values[column(index, channels)] ?? Number.NaN),
    labels.map((_, index) => labels[column(index, 1)] ?? Number.NaN),
    shape,
  ];
}

/** Mean negative logarithm of the reference's probabilities of the labels. */
function referenceLoss(name: string): number {
  const { shape, data } = activationFromPyTorch(
    referenceTensor(`${name}.probabilities`) as StoredTensor & { data: Float32Array },
  );
  const classes = shape[3] ?? 0;
  const labels = referenceTensor('labels').data;
  const terms = [...labels].flatMap((label, pixel) =>
    label === 255 ? [] : [-Math.log(data[pixel * classes + Number(label)] ?? Number.NaN)],
  );
  return terms.reduce((sum, term) => sum + term, 0) / terms.length;
}

describe.each(['cpu', 'wasm'])('evaluation of networks for label maps on %s', (name) => {
  let backend: BackendHandle;
  let network: Network;
  const scope = createScope(1);
  beforeAll(async () => {
    backend = await selectBackend(name, { threads: 1 });
    network = referenceNetwork(scope);
  });
  afterAll(() => {
    dispose(scope);
    backend.dispose();
  });

  const evaluate = (batches: readonly Images[], options: Parameters<typeof evaluateNetwork>[3] = {}) =>
    evaluateNetwork(network, source(batches), undefined, options);

  it.each([
    ['single', {}],
    ['scales', { scales }],
    ['flipped', { scales, flip: true }],
  ] as const)('equals PyTorch on whole images: %s', async (way, options) => {
    const tensors = tf.memory().numTensors;
    const { metrics, samples } = await evaluate([referenceImages()], options);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(samples).toBe(2);
    const confusion = Float64Array.from(referenceTensor(`${way}.confusion`).data as Int32Array);
    expect(metrics).toMatchObject(confusionMetrics(confusion));
    expect(metrics.loss).toBeCloseTo(referenceLoss(way), 5);
  });

  it('equals a network that was built for the size of the images, bit for bit', async () => {
    const factories = [
      fcnResNet({ depth: 50, width: 2, layers: [1, 1, 1, 1] }),
      deepLabV3({ depth: 18, width: 2, layers: [1, 1, 1, 1], rates: [2, 3] }),
      deepLabV3({ depth: 18, width: 2, layers: [1, 1, 1, 1], rates: [2, 3], variant: 'mmsegmentation' }),
    ];
    const images = referenceImages();
    const [, height, width, channels] = images[2];
    for (const factory of factories) {
      const scopes = [createScope(2), createScope(2)] as const;
      const cropped = networkOf(factory, [32, 24, 3], scopes[0]);
      const whole = networkOf(factory, [height, width, channels], scopes[1]);
      const [found, expected] = [
        await evaluateNetwork(cropped, source([images])),
        await evaluateNetwork(whole, source([images])),
      ];
      expect(found).toEqual(expected);
      for (const one of scopes) dispose(one);
    }
  });

  it('takes batches of several sizes, and counts their pixels in one confusion matrix', async () => {
    const images = referenceImages();
    const parts = [samplesOf(images, 0, 1), samplesOf(images, 1, 1)] as const;
    const transposed = (batch: Images): Images => [batch[0], batch[1], [1, batch[2][2], batch[2][1], 3]];
    const tensors = tf.memory().numTensors;
    const { metrics: apart } = await evaluate(parts, { scales: [1, 0.5] });
    const { metrics: together } = await evaluate([images], { scales: [1, 0.5] });
    expect(apart.meanIoU).toBe(together.meanIoU);
    const mixed = await evaluate([parts[0], transposed(parts[1])]);
    expect(mixed.samples).toBe(2);
    expect(mixed.metrics.meanIoU).not.toBe(together.meanIoU);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('does not depend on the side of an image if it averages over mirror images', async () => {
    const images = referenceImages();
    const options = { scales: [1, 0.75], flip: true };
    const [found, other] = [await evaluate([images], options), await evaluate([mirrored(images)], options)];
    expect(other.metrics.loss).toBeCloseTo(found.metrics.loss ?? Number.NaN, 5);
    expect(other.metrics.meanIoU).toBeCloseTo(found.metrics.meanIoU ?? Number.NaN, 3);
    const [one, another] = [await evaluate([images]), await evaluate([mirrored(images)])];
    expect(Math.abs((one.metrics.loss ?? 0) - (another.metrics.loss ?? 0))).toBeGreaterThan(0.01);
  });

  it('stops at a signal, reports progress, and leaves no tensor', async () => {
    const images = referenceImages();
    const controller = new AbortController();
    const seen: number[] = [];
    const onProgress = (samples: number) => {
      seen.push(samples);
      controller.abort(new Error('enough'));
    };
    const tensors = tf.memory().numTensors;
    const options = { scales: [0.5, 1], onProgress, signal: controller.signal };
    await expect(evaluate([images, images], options)).rejects.toThrow('enough');
    expect(seen).toEqual([2]);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('rejects scales of a classifier, its images of another size, and wrong options', async () => {
    const own = createScope(3);
    const classifier = networkOf(cifarResNet({ depth: 8, widths: [2, 2, 3, 4] }), [8, 8, 3], own);
    const labels = tf.tensor1d([1], 'int32');
    const images = tf.zeros<tf.Rank.R4>([1, 9, 8, 3]);
    const batches: BatchSource = {
      ...{ samples: 1, batchSize: 1, batchesPerEpoch: 1 },
      epoch: () => [{ images, targets: { labels }, dispose: () => tf.dispose([images, labels]) }],
    };
    const tensors = tf.memory().numTensors;
    await expect(evaluateNetwork(classifier, batches, undefined, { flip: true })).rejects.toThrow(
      "evaluateNetwork: options 'scales' and 'flip' are for networks that predict label maps; head 'classifier' does not. Allowed: scales [1], flip false.",
    );
    await expect(evaluateNetwork(classifier, batches)).rejects.toThrow(/must have images of shape \[1, 8, 8, 3\]/);
    expect(tf.memory().numTensors).toBe(tensors - 2);
    for (const wrong of [{ scales: [] }, { scales: [0] }, { scales: 2 }, { sizes: [1] }] as object[]) {
      await expect(evaluate([referenceImages()], wrong)).rejects.toThrow(/evaluateNetwork.*(scales|sizes)/);
    }
    dispose(own);
  });
});

it('follows the training of crops on whole images', async () => {
  const backend = await selectBackend('wasm', { threads: 1 });
  const scope = createScope(1);
  const network = networkOf(fcnResNet({ depth: 18, width: 4, layers: [1, 1, 1, 1] }), [16, 16, 3], scope);
  const whole = referenceImages();
  const [values, labels] = samplesOf(whole, 0, 1);
  const crop: Images = [values.slice(0, 768), labels.slice(0, 256), [1, 16, 16, 3]];
  const compiled = compilePlan(network, dgl({ head: 'infopro-segmentation' }).plan(network), {
    scope,
    targets: ['masks'],
    createTargets: (size) => ({ masks: tf.zeros<tf.Rank.R3>([size, 16, 16], 'int32') }),
  });
  const optimizer = sgd({ learningRate: 0.05 });
  const options = { compiled, optimizer, learningRate: 0.05, batches: source([crop]), testBatches: source([whole]) };
  const { epochs } = await train({ ...options, epochs: 2 });
  expect(epochs[1]?.testMetrics).toEqual((await evaluateNetwork(network, source([whole]))).metrics);
  expect(epochs[1]?.testLoss).not.toBe(epochs[0]?.testLoss);
  optimizer.dispose();
  dispose(scope);
  backend.dispose();
});
