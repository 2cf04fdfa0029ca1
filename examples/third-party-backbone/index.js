// A third-party backbone: a small residual network with stochastic depth. Its blocks are TensorFlow.js functions
// that state no cost; localgrad measures it.
import { rejectUnknownKeys, requireOption } from '@localgrad/core';
import { dropout, parallelSum, sequential, stochasticDepth } from '@localgrad/nn/blocks';
import { createClassifier } from '@localgrad/nn/heads';
import { heNormalFanOut, zeros } from '@localgrad/nn/random';
import { tapeBlock } from '@localgrad/nn/tape';
import * as tf from '@tensorflow/tfjs';

const name = 'acme-localgrad-residual';

/** ELU(x ∗ weight + bias), a block that the tape differentiates. */
function convolution(blockName, scope, inputShape, channels, stride = 1) {
  const outputShape = [Math.ceil(inputShape[0] / stride), Math.ceil(inputShape[1] / stride), channels];
  return tapeBlock({
    name: blockName,
    scope,
    inputShape,
    outputShape,
    parameters: [
      { name: 'weight', shape: [3, 3, inputShape[2], channels], initializer: heNormalFanOut },
      { name: 'bias', shape: [channels], initializer: zeros },
    ],
    fn: (x, [weight, bias]) => tf.elu(tf.add(tf.conv2d(x, weight, stride, 'same'), bias)),
    replicate: (other) => convolution(blockName, other, inputShape, channels, stride),
  });
}

const identity = (shape) =>
  tapeBlock({
    name: 'identity',
    inputShape: shape,
    outputShape: shape,
    fn: (x) => x,
    replicate: () => identity(shape),
  });

/** x + branch(x), where training drops the branch for some samples. */
function residual(blockName, scope, shape, rate) {
  const branch = sequential(`${blockName}.branch`, [
    convolution('conv', scope.scope('conv'), shape, shape[2]),
    stochasticDepth({ name: 'depth', scope, inputShape: shape, rate }),
  ]);
  return parallelSum(blockName, identity(shape), branch);
}

/**
 * @param {{ width?: number, stages?: number, rate?: number }} options channels of the first stage (default 8), number of
 *   stages (default 3), and rate of stochastic depth (default 0.1)
 * @returns {import('@localgrad/core').BackboneFactory}
 */
export default function residualNetwork(options = {}) {
  rejectUnknownKeys(name, options, ['width', 'stages', 'rate']);
  const { width = 8, stages = 3, rate = 0.1 } = options;
  requireOption(Number.isInteger(width) && width > 0, name, 'width', width, 'positive integers');
  requireOption(Number.isInteger(stages) && stages > 0, name, 'stages', stages, 'positive integers');
  const config = { backbone: name, ...options };
  return {
    name,
    config,
    build({ inputShape, classes, scope }) {
      const blocks = [{ reference: [0, 0], block: convolution('stem', scope.scope('stem'), inputShape, width) }];
      for (let stage = 1; stage <= stages; stage++) {
        const below = scope.scope(`stage${stage}`);
        const before = blocks.at(-1).block.outputShape;
        const down = convolution(`stage${stage}.0`, below.scope('0'), before, width * stage, 2);
        blocks.push({ reference: [stage, 0], block: down });
        blocks.push({
          reference: [stage, 1],
          block: residual(`stage${stage}.1`, below.scope('1'), down.outputShape, rate),
        });
      }
      const { outputShape } = blocks.at(-1).block;
      const last = dropout({ name: 'dropout', scope, inputShape: outputShape, rate, per: 'channel' });
      blocks.push({ reference: [stages, 2], block: last });
      const classifier = createClassifier({ scope, inputShape: outputShape, classes });
      return { name, config, inputShape, classes, blocks, classifier };
    },
  };
}
