import { startOfTraining } from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { predict } from './evaluation.js';
import { createExecutor } from './executor.js';
import { buildNetwork, classes } from './plain-network.fixture.js';
import type { Batch } from './step.js';
import { compileFour, fourLayers, randomBatch, recorder } from './train-step.fixture.js';
import { createTrainStep } from './train-step.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('a batch of another type', () => {
  const run = (images: tf.Tensor, labels: tf.Tensor) =>
    createTrainStep({ compiled: compileFour().compiled, optimizer: recorder().optimizer }).run(
      { images: images as tf.Tensor4D, targets: { labels: labels as tf.Tensor1D } },
      startOfTraining,
    );
  const { images, targets } = randomBatch(1);
  const labels = () => targets.labels as tf.Tensor1D;

  it('is rejected with the cure', () => {
    expect(() => run(tf.cast(images, 'int32'), labels())).toThrow(
      /A batch for 'greedy' on random must have float32 images, but has int32; .*tf\.cast\(images, 'float32'\)/,
    );
    expect(() => run(images, tf.cast(labels(), 'float32'))).toThrow(
      /'labels', which the head '\w+' \(\w+\) on module \d.* reads, is a float32 tensor of shape \[8\].*tf\.tensor1d\(classes, 'int32'\)/,
    );
    expect(() => run(images, tf.oneHot(labels(), classes))).toThrow(/int32 tensor of shape \[8, 3\].*tf\.argMax/);
    expect(() => run(images, tf.scalar(1, 'int32'))).toThrow(/int32 tensor without axes; it needs one axis/);
  });

  it('is rejected without images or targets', () => {
    const { compiled } = compileFour();
    const loose = { images, labels: labels() } as object as Batch;
    const message = /A batch must be \{ images, targets: \{ labels, … \} \}; this one has images, labels\./;
    expect(() => createTrainStep({ compiled, optimizer: recorder().optimizer }).run(loose, startOfTraining)).toThrow(
      message,
    );
    expect(() => createExecutor(compiled).step(loose, { onGradients() {} })).toThrow(message);
    expect(() => createExecutor(compiled).step({} as Batch, { onGradients() {} })).toThrow(/this one has neither\./);
  });

  it('is rejected without any image', () => {
    const empty = tf.zeros([0, ...images.shape.slice(1)]);
    expect(() => run(empty, tf.zeros([0], 'int32'))).toThrow("A batch for 'greedy' contains no images.");
  });

  it('is rejected in evaluation mode', () => {
    const network = buildNetwork(fourLayers, [4], createScope(1));
    const { classifier } = network.backbone;
    expect(() => predict(network, tf.cast(images, 'int32'))).toThrow(/must have float32 images, but has int32/);
    expect(() => predict(network, tf.zeros([2, 2, 6, 6]))).toThrow(
      /images of shape \[2, 6, 6, 2\], but has \[2, 2, 6, 6\]/,
    );
    const h = tf.zeros<tf.Rank.R4>([8, ...classifier.inputShape]);
    const oneHot = tf.oneHot(labels(), classes) as tf.Tensor as tf.Tensor1D;
    expect(() => classifier.measure?.(h, { labels: oneHot })).toThrow(/head 'classifier' reads.*tf\.argMax/);
  });
});
