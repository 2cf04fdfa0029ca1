import { type Block, clockAt, type Head, type HeadContext, type Parameter, trainingMode } from '@localgrad/core';
import { dense, relu, sequential } from '@localgrad/nn/blocks';
import { createClassifier, headFactory } from '@localgrad/nn/heads';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkBlockGradients, checkHeadGradients } from './tensor-checks.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** A block whose gradients are modified. */
function spoiled(block: Block, spoil: (gradient: tf.Tensor, of: Parameter | 'input') => tf.Tensor): Block {
  return {
    name: 'mine',
    inputShape: block.inputShape,
    outputShape: block.outputShape,
    parameters: block.parameters,
    statistics: block.statistics,
    forward: (x, mode) => block.forward(x, mode),
    vjp: (pass, dy, want) => {
      const { input, parameters } = block.vjp(pass, dy, want);
      const changed = new Map([...parameters].map(([parameter, gradient]) => [parameter, spoil(gradient, parameter)]));
      return { parameters: changed, ...(input && { input: spoil(input, 'input') as tf.Tensor4D }) };
    },
    replicate: (scope) => block.replicate(scope),
  };
}

const layers = () => {
  const scope = createScope(1);
  const inputShape = [1, 1, 6] as const;
  return sequential('layers', [
    dense({ name: 'fc', scope, inputShape, units: 6, layer: 'fc' }),
    relu('relu', inputShape),
    dense({ name: 'out', scope, inputShape, units: 3, layer: 'out' }),
  ]);
};

describe('checkBlockGradients', () => {
  it('accepts correct gradients, leaks no tensors, and restores the weights', async () => {
    const block = layers();
    const values = block.parameters.map(({ value }) => [...value.dataSync()]);
    const before = tf.memory().numTensors;
    await checkBlockGradients(block, trainingMode);
    expect(tf.memory().numTensors).toBe(before);
    expect(block.parameters.map(({ value }) => [...value.dataSync()])).toEqual(values);
  });

  it('reports block, tensor and mistake', async () => {
    const check = (spoil: Parameters<typeof spoiled>[1]) => checkBlockGradients(spoiled(layers(), spoil), trainingMode);
    await expect(check((gradient, of) => (of === 'input' ? tf.mul(gradient, -1) : gradient))).rejects.toThrow(
      /Block 'mine', input: .*the sign/s,
    );
    const isSquare = ({ shape }: tf.Tensor) => shape.length === 2 && shape[0] === shape[1];
    await expect(check((gradient) => (isSquare(gradient) ? tf.transpose(gradient) : gradient))).rejects.toThrow(
      /weight 'fc.weight': .*transposed/s,
    );
    await expect(
      check((gradient, of) => (of !== 'input' && of.name === 'out.bias' ? tf.div(gradient, 3) : gradient)),
    ).rejects.toThrow(/weight 'out.bias': .*divided by the batch size \(3\)/s);
  });
});

describe('checkHeadGradients', () => {
  const targets = () => ({ labels: tf.tensor1d([0, 1, 2, 1], 'int32') });

  it('accepts correct gradients of classifiers, convolutional and contrastive heads', async () => {
    const context: HeadContext = {
      module: 0,
      modules: 2,
      classes: 3,
      inputShape: [4, 4, 4],
      moduleInputShape: [8, 8, 3],
      finalShape: [2, 2, 8],
      imageShape: [4, 4, 3],
    };
    const scope = createScope(1);
    await checkHeadGradients(
      createClassifier({ scope, inputShape: [4, 4, 4], classes: 3 }),
      targets(),
      4,
      trainingMode,
    );
    for (const options of [{}, { loss: 'contrast' }] as const) {
      const head = headFactory('1c2f', { featureDimension: 6, ...options }).build(context, createScope(2));
      const before = tf.memory().numTensors;
      await checkHeadGradients(head, targets(), 4, trainingMode);
      expect(tf.memory().numTensors).toBe(before + 1);
    }
  });

  it('reports a head that ignores the weight of its request', async () => {
    const head = createClassifier({ scope: createScope(1), inputShape: [2, 2, 4], classes: 3 });
    const careless: Head = {
      ...head,
      evaluate: (h, batch, request) => head.evaluate(h, batch, { ...request, weight: 1 }),
    };
    await expect(checkHeadGradients(careless, targets(), 4, trainingMode)).rejects.toThrow(
      /Head 'classifier', input: .*'weight' \(0.5\) is missing/s,
    );
  });

  it('reports a gradient that becomes wrong later in training, with the step', async () => {
    const head = createClassifier({ scope: createScope(1), inputShape: [2, 2, 4], classes: 3 });
    const forgetful: Head = {
      ...head,
      evaluate: (h, batch, request) =>
        head.evaluate(h, batch, { ...request, weight: request.weight / (request.clock.step === 0 ? 1 : 2) }),
    };
    await checkHeadGradients(forgetful, targets(), 4, trainingMode);
    await expect(
      checkHeadGradients(forgetful, targets(), 4, trainingMode, { clock: clockAt(50, 10, 10) }),
    ).rejects.toThrow(/Head 'classifier' in step 50 of 100, input: .*applied twice/s);
  });
});
