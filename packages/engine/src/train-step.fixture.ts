import {
  type Block,
  type BlockReference,
  createNetwork,
  independentPlan,
  type Network,
  type Optimizer,
  type TrainingPlan,
} from '@localgrad/core';
import { conv2d, relu, sequential } from '@localgrad/nn/blocks';
import { createClassifier } from '@localgrad/nn/heads';
import { createRandom, createScope, type RootScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { compilePlan } from './compile.js';
import { buildNetwork, classes, headFactory, imageShape, type Layer } from './plain-network.fixture.js';
import type { Batch } from './step.js';

/** Four modules of one block each, with batch normalization. */
export const fourLayers: readonly Layer[] = [
  { kind: 'plain', channels: 3, stride: 1 },
  { kind: 'residual', channels: 3, stride: 1 },
  { kind: 'residual', channels: 4, stride: 2 },
  { kind: 'residual', channels: 4, stride: 1 },
];

/** A compiled plan on four modules, and the scope of its weights. */
export function compileFour(change: (plan: TrainingPlan) => TrainingPlan = (plan) => plan, seed = 5) {
  const scope = createScope(seed);
  const network = buildNetwork(fourLayers, [1, 1, 1, 1], scope);
  return { scope, compiled: compilePlan(network, change(independentPlan('greedy', network, headFactory)), { scope }) };
}

/** Three modules without batch normalization. */
export function plainModules(scope: RootScope): Network {
  const widths = [2, 3, 4, 4];
  const blocks = [0, 1, 2].map((index): { reference: BlockReference; block: Block } => {
    const inputShape = [6, 6, widths[index] ?? 0] as const;
    const convolution = conv2d({
      name: `b${index}`,
      scope,
      layer: `b${index}`,
      inputShape,
      channels: widths[index + 1] ?? 0,
      bias: true,
    });
    const block = sequential(`b${index}`, [convolution, relu(`relu${index}`, convolution.outputShape)]);
    return { reference: [1, index], block };
  });
  const classifier = createClassifier({ scope, inputShape: [6, 6, 4], classes });
  const backbone = { name: 'plain', config: {}, inputShape: imageShape, classes, blocks, classifier };
  return createNetwork(backbone, [1, 1, 1]);
}

export function randomBatch(seed: number, size = 8): Batch & { dispose(): void } {
  const random = createRandom(seed);
  const [height, width, channels] = imageShape;
  const values = Float32Array.from({ length: size * height * width * channels }, () => random.normal());
  const images = tf.tensor4d(values, [size, ...imageShape]);
  const labels = tf.tensor1d(
    Array.from({ length: size }, () => random.integer(classes)),
    'int32',
  );
  return { images, targets: { labels }, dispose: () => tf.dispose([images, labels]) };
}

/** An optimizer that records the gradients of each update and changes no weights. */
export function recorder(options: Pick<Optimizer, 'needsWholeStep'> = {}) {
  const updates: Map<string, number[]>[] = [];
  const optimizer: Optimizer = {
    config: { learningRate: 0 },
    ...options,
    stateBytes: () => 0,
    update(gradients) {
      updates.push(new Map(gradients.map(({ parameter, gradient }) => [parameter.name, [...gradient.dataSync()]])));
      tf.dispose(gradients.map(({ gradient }) => gradient));
    },
    state: () => new Map(),
    load: () => {},
    dispose: () => {},
  };
  const gradients = () => new Map(updates.flatMap((update) => [...update]));
  return { optimizer, updates, gradients };
}
