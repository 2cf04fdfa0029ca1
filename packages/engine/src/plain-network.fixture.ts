import {
  type Block,
  createNetwork,
  type HeadFactory,
  type Network,
  type Objective,
  type Parameter,
  type Shape3,
} from '@localgrad/core';
import { basicBlock, convBatchNormRelu } from '@localgrad/nn/blocks';
import { createClassifier } from '@localgrad/nn/heads';
import type { RootScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';

export const imageShape: Shape3 = [6, 6, 2];
export const classes = 3;
export const batchSize = 5;

export const headFactory: HeadFactory = {
  name: '0c1f',
  build: ({ inputShape }, scope) => createClassifier({ scope, inputShape, classes }),
};

export interface Layer {
  readonly kind: 'plain' | 'residual';
  readonly channels: number;
  readonly stride: 1 | 2;
}

export function buildNetwork(layers: readonly Layer[], sizes: readonly number[], scope: RootScope): Network {
  const blocks: { reference: readonly [number, number]; block: Block }[] = [];
  layers.forEach(({ kind, channels, stride }, index) => {
    const inputShape = blocks.at(-1)?.block.outputShape ?? imageShape;
    const options = { name: `b${index}`, scope: scope.scope(`b${index}`), inputShape, channels, stride };
    blocks.push({ reference: [1, index], block: kind === 'plain' ? convBatchNormRelu(options) : basicBlock(options) });
  });
  const last = blocks.at(-1)?.block as Block;
  const classifier = createClassifier({ scope, inputShape: last.outputShape, classes });
  const backbone = { name: 'random', config: {}, inputShape: imageShape, classes, blocks, classifier };
  return createNetwork(backbone, sizes);
}

// ---- The same network in plain TensorFlow.js operations: uses parameter names, but no blocks. ----

type Values = (name: string) => tf.Tensor;

function plainNorm(x: tf.Tensor, values: Values, name: string): tf.Tensor {
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  const normalized = tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5)));
  return tf.add(tf.mul(normalized, values(`${name}.weight`)), values(`${name}.bias`));
}

function plainConvolution(x: tf.Tensor, values: Values, name: string, stride: number, padding: number): tf.Tensor {
  return tf.conv2d(x as tf.Tensor4D, values(`${name}.weight`) as tf.Tensor4D, stride, padding);
}

function plainLayer(x: tf.Tensor, { kind, channels, stride }: Layer, index: number, values: Values): tf.Tensor {
  const at = `b${index}`;
  if (kind === 'plain') {
    return tf.relu(plainNorm(plainConvolution(x, values, `${at}.conv`, stride, 1), values, `${at}.bn`));
  }
  const hidden = tf.relu(plainNorm(plainConvolution(x, values, `${at}.conv1`, stride, 1), values, `${at}.bn1`));
  const main = plainNorm(plainConvolution(hidden, values, `${at}.conv2`, 1, 1), values, `${at}.bn2`);
  const shortcut =
    stride === 1 && x.shape[3] === channels
      ? x
      : plainNorm(plainConvolution(x, values, `${at}.downsample.0`, stride, 0), values, `${at}.downsample.1`);
  return tf.relu(tf.add(main, shortcut));
}

function plainLoss(h: tf.Tensor, labels: tf.Tensor1D, values: Values, prefix: string): tf.Scalar {
  const pooled = tf.mean(h, [1, 2]);
  const logits = tf.add(
    tf.matMul(pooled as tf.Tensor2D, values(`${prefix}fc.weight`) as tf.Tensor2D),
    values(`${prefix}fc.bias`),
  );
  const logProbabilities = tf.logSoftmax(logits);
  return tf.neg(tf.mean(tf.sum(tf.mul(logProbabilities, tf.oneHot(labels, classes)), 1))) as tf.Scalar;
}

/**
 * Σ weight · ∂loss/∂parameter, where each loss treats the input of its span as a constant (stop-gradient).
 *
 * @param frozen modules whose weights are constants
 */
export function referenceGradients(
  layers: readonly Layer[],
  sizes: readonly number[],
  objectives: readonly Objective[],
  parameters: ReadonlyMap<string, Parameter>,
  images: tf.Tensor4D,
  labels: tf.Tensor1D,
  frozen: ReadonlySet<number> = new Set(),
): { gradients: Map<string, tf.Tensor>; losses: Map<string, number> } {
  const starts = sizes.map((_, module) => sizes.slice(0, module).reduce((sum, size) => sum + size, 0));
  const names = [...parameters.values()].filter(({ kind }) => kind === 'weight').map(({ name }) => name);
  const values: Values = (name) => (parameters.get(name) as Parameter).value;
  const inputs: tf.Tensor[] = [images];
  for (const [index, layer] of layers.entries()) {
    inputs.push(plainLayer(inputs[index] as tf.Tensor, layer, index, values));
  }
  const gradients = new Map<string, tf.Tensor>();
  const losses = new Map<string, number>();
  for (const { id, span, weight, head } of objectives) {
    const first = starts[span[0]] as number;
    const end = (starts[span[1]] as number) + (sizes[span[1]] as number);
    const reached = names.filter((name) => {
      if (name.startsWith('heads.')) return name.startsWith(`heads.${head.key}.`);
      if (name.startsWith('fc.')) return head.key === 'classifier';
      const layer = Number(/^b(\d+)/.exec(name)?.[1]);
      const module = starts.findLastIndex((start) => start <= layer);
      return layer >= first && layer < end && !frozen.has(module);
    });
    const loss = (...tensors: tf.Tensor[]): tf.Scalar => {
      const bound: Values = (name) => tensors[reached.indexOf(name)] ?? values(name);
      let h = inputs[first] as tf.Tensor;
      for (let index = first; index < end; index++) h = plainLayer(h, layers[index] as Layer, index, bound);
      return plainLoss(h, labels, bound, head.key === 'classifier' ? '' : `heads.${head.key}.`);
    };
    const { value, grads } = tf.valueAndGrads(loss)(reached.map(values));
    losses.set(id, value.dataSync()[0] as number);
    grads.forEach((gradient, index) => {
      const name = reached[index] as string;
      const scaled = tf.mul(gradient, weight as number);
      const sum = gradients.get(name);
      gradients.set(name, sum === undefined ? scaled : tf.add(sum, scaled));
    });
  }
  return { gradients, losses };
}

export function relativeError(actual: tf.Tensor, expected: tf.Tensor, floor: number): number {
  const difference = tf.max(tf.abs(tf.sub(actual, expected))).dataSync()[0] as number;
  return difference / Math.max(floor, tf.max(tf.abs(expected)).dataSync()[0] as number);
}
