import { LocalgradError, type Parameter, type Shape3 } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';

/** One training step of a network in ordinary TensorFlow.js code. */
export interface StockTape {
  /** Forward, `tf.variableGrads`, momentum update. @returns the loss before the update; owned by the caller */
  step(images: tf.Tensor4D, labels: tf.Tensor1D): tf.Scalar;
  dispose(): void;
}

/**
 * A CIFAR ResNet as an ordinary function of `tf.Variable`s, differentiated by the tape: the cost of training without
 * localgrad. Copies the weights of a backbone by name, so that both compute the same. Running statistics are not updated,
 * which saves some work.
 */
export function createStockTape(
  weights: readonly Parameter[],
  { learningRate }: { readonly learningRate: number },
): StockTape {
  const variables = new Map(weights.map(({ name, value }) => [name, tf.variable(value.clone(), true)]));
  const optimizer = tf.train.momentum(learningRate, 0.9, true);
  const get = <T extends tf.Tensor>(name: string): T => {
    const variable = variables.get(name);
    if (variable === undefined)
      throw new LocalgradError(
        'misuse',
        `stock-tape supports CIFAR ResNets only; this backbone has no weight '${name}'.`,
      );
    return variable as unknown as T;
  };
  const convolve = (x: tf.Tensor4D, name: string, stride: number) => {
    const filter = get<tf.Tensor4D>(`${name}.weight`);
    return tf.conv2d(x, filter, stride, (filter.shape[0] - 1) / 2, 'NHWC', 1, 'floor');
  };
  const normalize = (x: tf.Tensor4D, name: string) => {
    const { mean, variance } = tf.moments(x, [0, 1, 2]);
    return tf.batchNorm4d(
      x,
      mean.as1D(),
      variance.as1D(),
      get<tf.Tensor1D>(`${name}.bias`),
      get<tf.Tensor1D>(`${name}.weight`),
      1e-5,
    );
  };
  const residualBlock = (x: tf.Tensor4D, name: string, stride: number): tf.Tensor4D => {
    const inner = tf.relu(normalize(convolve(x, `${name}.conv1`, stride), `${name}.bn1`));
    const outer = normalize(convolve(inner, `${name}.conv2`, 1), `${name}.bn2`);
    const isProjected = variables.has(`${name}.downsample.0.weight`);
    const shortcut = isProjected ? normalize(convolve(x, `${name}.downsample.0`, stride), `${name}.downsample.1`) : x;
    return tf.relu(tf.add<tf.Tensor4D>(outer, shortcut));
  };
  const forward = (images: tf.Tensor4D): tf.Tensor2D => {
    let x: tf.Tensor4D = tf.relu(normalize(convolve(images, 'conv1', 1), 'bn1'));
    for (let stage = 1; stage <= 3; stage++) {
      for (let index = 0; variables.has(`layer${stage}.${index}.conv1.weight`); index++) {
        x = residualBlock(x, `layer${stage}.${index}`, stage > 1 && index === 0 ? 2 : 1);
      }
    }
    return tf.add(tf.matMul(tf.mean<tf.Tensor2D>(x, [1, 2]), get<tf.Tensor2D>('fc.weight')), get('fc.bias'));
  };
  return {
    step(images, labels) {
      const { value, grads } = tf.variableGrads(() => {
        const scores = forward(images);
        return tf.losses.softmaxCrossEntropy<tf.Tensor, tf.Scalar>(tf.oneHot(labels, scores.shape[1]), scores);
      });
      optimizer.applyGradients(grads as tf.NamedTensorMap as never);
      tf.dispose(grads);
      return value;
    },
    dispose() {
      optimizer.dispose();
      for (const variable of variables.values()) variable.dispose();
    },
  };
}

/** Random images and labels; equal in every call. */
export function randomBatch(
  batch: number,
  image: Shape3,
  classes: number,
): { images: tf.Tensor4D; labels: tf.Tensor1D } {
  return {
    images: tf.randomNormal<tf.Rank.R4>([batch, ...image], 0, 1, 'float32', 1),
    labels: randomClasses<tf.Tensor1D>([batch], classes),
  };
}

function randomClasses<T extends tf.Tensor>(shape: number[], classes: number): T {
  return tf.tidy(() => tf.cast<T>(tf.randomUniform(shape, 0, classes, 'float32', 2) as T, 'int32'));
}

/** Targets of a random batch that the losses of a plan read. Owned by the caller, with the labels. */
export function randomTargets(
  { images, labels }: { readonly images: tf.Tensor4D; readonly labels: tf.Tensor1D },
  { reads, classes }: { readonly reads: readonly string[]; readonly classes: number },
): Record<'labels', tf.Tensor1D> & Record<string, tf.Tensor> {
  const [batch, height, width] = images.shape;
  return {
    labels,
    ...(reads.includes('images') ? { images: tf.sigmoid(images) } : {}),
    ...(reads.includes('masks') ? { masks: randomClasses([batch, height, width], classes) } : {}),
  };
}
