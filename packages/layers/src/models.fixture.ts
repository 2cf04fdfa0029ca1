import { evaluationMode, type Network, type Parameter, startOfTraining, trainingMode } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import type { LayersNetwork } from './index.js';

/** A symbolic tensor after a layer. */
export function after(layer: tf.layers.Layer, x: tf.SymbolicTensor | tf.SymbolicTensor[]): tf.SymbolicTensor {
  const output = layer.apply(x);
  if (output instanceof tf.SymbolicTensor) return output;
  throw new Error(`'${layer.name}' returned no symbolic tensor.`);
}

/** A sequential network as in Keras' tutorials, on images of 9×8. */
export function sequentialCnn(): tf.LayersModel {
  const { layers } = tf;
  const model = tf.sequential({
    name: 'cnn',
    layers: [
      layers.conv2d({
        name: 'conv1',
        inputShape: [9, 8, 3],
        filters: 4,
        kernelSize: 3,
        padding: 'same',
        activation: 'relu',
      }),
      layers.conv2d({ name: 'conv2', filters: 5, kernelSize: 3, strides: 2, padding: 'same', useBias: false }),
      layers.batchNormalization({ name: 'bn2' }),
      layers.activation({ name: 'swish2', activation: 'swish' }),
      layers.separableConv2d({ name: 'separable3', filters: 6, kernelSize: 3, padding: 'same', activation: 'relu' }),
      layers.maxPooling2d({ name: 'pool3', poolSize: 2, padding: 'same' }),
      layers.flatten({ name: 'flatten' }),
      layers.dense({ name: 'dense4', units: 7, activation: 'tanh' }),
      layers.dropout({ name: 'dropout', rate: 0 }),
      layers.dense({ name: 'scores', units: 3, activation: 'softmax' }),
    ],
  });
  randomize(model);
  return model;
}

/** A network with inverted residuals, on images of 12×12: padding by hand and asymmetric, sums, squeeze and excitation. */
export function mobileNet(): tf.LayersModel {
  const { layers } = tf;
  const norm = (x: tf.SymbolicTensor, name: string) =>
    after(layers.batchNormalization({ name, epsilon: 1e-3, momentum: 0.9 }), x);
  const relu6 = (x: tf.SymbolicTensor, name: string) => after(layers.reLU({ name, maxValue: 6 }), x);
  const pointwise = (x: tf.SymbolicTensor, filters: number, name: string) =>
    norm(after(layers.conv2d({ name, filters, kernelSize: 1, useBias: false }), x), `${name}_bn`);
  const depthwise = (x: tf.SymbolicTensor, strides: number, name: string) => {
    const convolution = layers.depthwiseConv2d({ name, kernelSize: 3, strides, padding: 'same', useBias: false });
    return relu6(norm(after(convolution, x), `${name}_bn`), `${name}_relu`);
  };
  const input = tf.input({ shape: [12, 12, 3], name: 'images' });
  const padded = after(
    layers.zeroPadding2d({
      name: 'padding',
      padding: [
        [0, 1],
        [0, 1],
      ],
    }),
    input,
  );
  const stem = after(layers.conv2d({ name: 'stem', filters: 4, kernelSize: 3, strides: 2, useBias: false }), padded);
  let x = relu6(norm(stem, 'stem_bn'), 'stem_relu');
  x = pointwise(depthwise(x, 1, 'dw1'), 4, 'project1');
  const expanded = relu6(pointwise(x, 8, 'expand2'), 'expand2_relu');
  const inner = pointwise(depthwise(expanded, 1, 'dw2'), 4, 'project2');
  x = after(layers.add({ name: 'add2' }), [x, inner]);
  const squeezed = after(layers.globalAveragePooling2d({ name: 'squeeze' }), x);
  const excited = after(layers.dense({ name: 'excite', units: 4, activation: 'sigmoid' }), squeezed);
  const factors = after(layers.reshape({ name: 'factors', targetShape: [1, 1, 4] }), excited);
  x = after(layers.multiply({ name: 'scaled' }), [x, factors]);
  const left = pointwise(depthwise(x, 2, 'dw3'), 4, 'project3');
  const right = after(layers.averagePooling2d({ name: 'pool3', poolSize: 2 }), x);
  x = after(layers.concatenate({ name: 'concat3' }), [left, right]);
  x = after(layers.globalAveragePooling2d({ name: 'pool' }), x);
  x = after(layers.dense({ name: 'scores', units: 3 }), x);
  const output = after(layers.softmax({ name: 'softmax' }), x);
  const model = tf.model({ inputs: input, outputs: output, name: 'mobile' });
  randomize(model);
  return model;
}

/** A sequential network of oblong filters and strides, on images of 9×11. */
export function oblongCnn(): tf.LayersModel {
  const { layers } = tf;
  const model = tf.sequential({
    name: 'oblong',
    layers: [
      layers.conv2d({ name: 'row1', inputShape: [9, 11, 3], filters: 4, kernelSize: [1, 7], padding: 'same' }),
      layers.conv2d({
        name: 'column1',
        filters: 4,
        kernelSize: [3, 1],
        strides: [2, 1],
        padding: 'same',
        useBias: false,
      }),
      layers.batchNormalization({ name: 'norm1' }),
      layers.reLU({ name: 'relu1' }),
      layers.depthwiseConv2d({ name: 'depthwise2', kernelSize: [1, 3], strides: [1, 2], padding: 'same' }),
      layers.separableConv2d({
        name: 'separable3',
        filters: 5,
        kernelSize: [2, 3],
        depthMultiplier: 2,
        activation: 'relu',
      }),
      layers.conv2d({ name: 'square4', filters: 5, kernelSize: 3, strides: [1, 2], padding: 'same' }),
      layers.flatten({ name: 'flatten' }),
      layers.dense({ name: 'scores', units: 3, activation: 'softmax' }),
    ],
  });
  randomize(model);
  return model;
}

/** A sequential network with dilated filters, on images of 9×11. */
export function dilatedCnn(): tf.LayersModel {
  const { layers } = tf;
  const model = tf.sequential({
    name: 'dilated',
    layers: [
      layers.conv2d({
        name: 'wide1',
        inputShape: [9, 11, 3],
        filters: 4,
        kernelSize: 3,
        dilationRate: 2,
        padding: 'same',
        activation: 'relu',
      }),
      layers.conv2d({ name: 'valid2', filters: 4, kernelSize: [1, 3], dilationRate: [1, 3] }),
      layers.separableConv2d({ name: 'separable3', filters: 5, kernelSize: 2, dilationRate: [3, 1], padding: 'same' }),
      layers.flatten({ name: 'flatten' }),
      layers.dense({ name: 'scores', units: 3, activation: 'softmax' }),
    ],
  });
  randomize(model);
  return model;
}

/** A network that reads the rows of gray images of 6×5 one after the other. */
export function recurrent(): tf.LayersModel {
  const { layers } = tf;
  const model = tf.sequential({
    name: 'recurrent',
    layers: [
      layers.bidirectional({
        name: 'rows',
        inputShape: [6, 5],
        layer: layers.gru({ units: 4, returnSequences: true, recurrentInitializer: 'glorotNormal' }),
        mergeMode: 'concat',
      }),
      layers.batchNormalization({ name: 'norm' }),
      layers.lstm({ name: 'last', units: 4, recurrentInitializer: 'glorotNormal' }),
      layers.dense({ name: 'scores', units: 3, activation: 'softmax' }),
    ],
  });
  randomize(model);
  return model;
}

/** A network that adds the rows of gray images of 6×4 to those of a recurrent layer, and joins them with it. */
export function residualRecurrent(): tf.LayersModel {
  const { layers } = tf;
  const input = tf.input({ shape: [6, 4], name: 'rows' });
  const recurrent = (name: string) =>
    layers.gru({ name, units: 4, returnSequences: true, recurrentInitializer: 'glorotNormal' });
  const sum = after(layers.add({ name: 'sum' }), [input, after(recurrent('first'), input)]);
  const joined = after(layers.concatenate({ name: 'joined' }), [after(recurrent('second'), sum), input]);
  const mixed = after(layers.dense({ name: 'mixed', units: 5, activation: 'tanh' }), joined);
  const scores = after(
    layers.dense({ name: 'scores', units: 3, activation: 'softmax' }),
    after(layers.flatten(), mixed),
  );
  const model = tf.model({ inputs: input, outputs: scores, name: 'residual' });
  randomize(model);
  return model;
}

/** Replaces constant initial values, which would hide mistakes. */
export function randomize(model: tf.LayersModel): void {
  let seed = 0;
  model.setWeights(
    model.weights.map(({ shape, originalName }) => {
      const sizes = shape.map(Number);
      const isPositive = /variance|gamma/.test(originalName);
      const bound = sizes.length > 1 ? 1.5 / Math.sqrt(sizes.slice(0, -1).reduce((a, b) => a * b, 1)) : 0.3;
      return tf.randomUniform(sizes, isPositive ? 0.5 : -bound, isPositive ? 1.5 : bound, 'float32', ++seed);
    }),
  );
}

export interface Batch {
  readonly images: tf.Tensor4D;
  readonly labels: tf.Tensor1D;
}

/** Random images whose classes can be learned: each class is brighter in another third. */
export function batchFor(model: tf.LayersModel, size: number, seed = 5): Batch {
  const [, height = 1, width = 1, channels = 1] = (model.inputs[0]?.shape ?? []).map(Number);
  const labels = Int32Array.from({ length: size }, (_, index) => index % 3);
  const images = tf.tidy(() => {
    const noise = tf.randomNormal<tf.Rank.R4>([size, height, width, channels], 0, 1, 'float32', seed);
    const rows = tf
      .range(0, height)
      .div(height / 3)
      .floor()
      .reshape([1, height, 1, 1]);
    const bright = rows.equal(tf.tensor1d(labels, 'int32').cast('float32').reshape([size, 1, 1, 1]));
    return tf.add<tf.Tensor4D>(noise, bright.mul(1.5));
  });
  return { images, labels: tf.tensor1d(labels, 'int32') };
}

/** Loss and gradients of end-to-end training, by the blocks. */
export function gradientsByBlocks({ backbone }: Network, { images, labels }: Batch) {
  const passes = [];
  let x = images;
  for (const { block } of backbone.blocks) {
    const pass = block.forward(x, trainingMode);
    passes.push({ block, pass });
    x = pass.output;
  }
  const request = { mode: trainingMode, weight: 1, input: true, clock: startOfTraining };
  const result = backbone.classifier.evaluate(x, { labels }, request);
  const gradients = new Map<Parameter, tf.Tensor>(result.parameters);
  let cotangent = result.input;
  for (const { block, pass } of passes.reverse()) {
    if (cotangent === undefined) throw new Error('The cotangent is missing.');
    const { input, parameters } = block.vjp(pass, cotangent, { input: true, parameters: true, release: true });
    for (const [parameter, gradient] of parameters) gradients.set(parameter, gradient);
    pass.output.dispose();
    cotangent = input;
  }
  return { loss: result.loss, gradients, input: cotangent };
}

/** Loss and gradients by the tape, of the model itself. Moves the model's statistics. */
export function gradientsByTape(model: tf.LayersModel, { images, labels }: Batch) {
  const loss = () =>
    tf.tidy(() => {
      const shape = (model.inputs[0]?.shape ?? []).slice(1).map(Number);
      const output = model.apply(images.reshape([images.shape[0], ...shape]), { training: true });
      if (!(output instanceof tf.Tensor)) throw new Error('The model returned several tensors.');
      const chosen = output.mul(tf.oneHot(labels, output.shape[1] ?? 0)).sum(1);
      return chosen.log().neg().mean().asScalar();
    });
  const { value, grads } = tf.variableGrads(loss);
  return { loss: value, gradients: grads };
}

/** Class scores of a network in evaluation mode. */
export function scoresOf({ network: { backbone } }: Pick<LayersNetwork, 'network'>, images: tf.Tensor4D): tf.Tensor {
  let x = images.clone();
  for (const { block } of backbone.blocks) {
    const { output } = block.forward(x, evaluationMode);
    x.dispose();
    x = output;
  }
  const scores = backbone.classifier.predict?.(x);
  x.dispose();
  if (scores === undefined) throw new Error('The classifier predicts nothing.');
  return scores;
}

/** Largest absolute difference. */
export function difference(a: tf.Tensor, b: tf.Tensor): number {
  return tf.tidy(
    () =>
      a
        .reshape([-1])
        .sub(b.reshape([-1]))
        .abs()
        .max()
        .dataSync()[0] ?? 0,
  );
}
