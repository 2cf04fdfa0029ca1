import type { BackendHandle } from '@localgrad/backends';
import { recordStep } from '@localgrad/webgpu-kernels';
import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, it } from 'vitest';
import { startGpu } from './software-gpu.fixture.js';

const backend: BackendHandle | undefined = await startGpu();
afterAll(() => backend?.dispose());

/** Two dense layers, trained with momentum by operations of TensorFlow.js only. */
function createProgram() {
  const random = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 0.5, 'float32', seed);
  const weights = [random([5, 7], 1), random([7, 3], 2)].map((value) => tf.variable(value));
  const velocities = weights.map((weight) => tf.variable(tf.zerosLike(weight)));
  const run = ({ x, y, rate }: Readonly<Record<string, tf.Tensor>>) =>
    tf.tidy(() => {
      const [first, second] = weights;
      if (x === undefined || y === undefined || rate === undefined || first === undefined || second === undefined) {
        throw new Error('missing input');
      }
      const { value: loss, grads } = tf.variableGrads(() => {
        const scores = tf.matMul(tf.relu(tf.matMul(x, first)), second);
        return tf.losses.softmaxCrossEntropy(tf.oneHot(y, 3), scores).asScalar();
      }, weights);
      weights.forEach((weight, index) => {
        const [gradient, velocity] = [grads[weight.name], velocities[index]];
        if (gradient === undefined || velocity === undefined) throw new Error('missing gradient');
        velocity.assign(velocity.mul(0.9).add(gradient));
        weight.assign(weight.sub(velocity.mul(rate)));
      });
      return { loss };
    });
  const state = () => [...weights, ...velocities];
  return { run, state };
}

const inputs = (step: number) => ({
  x: tf.randomNormal([4, 5], 0, 1, 'float32', step),
  y: tf.tensor1d([0, 1, 2, step % 3], 'int32'),
  rate: tf.scalar(0.1 / (1 + step)),
});

async function values(tensors: readonly tf.Tensor[]): Promise<number[][]> {
  return Promise.all(tensors.map(async (tensor) => [...(await tensor.data())]));
}

describe.skipIf(backend === undefined)('recordStep on a program of TensorFlow.js operations', () => {
  it('replays steps that equal ordinary ones bit for bit', async () => {
    const [ordinary, recorded] = [createProgram(), createProgram()];
    const step = recordStep(recorded);
    for (let index = 0; index < 12; index++) {
      const given = inputs(index);
      const results = [ordinary.run(given), step.run(given)];
      const [expected, found] = await Promise.all(results.map(({ loss }) => values([loss as tf.Tensor])));
      expect(found, `loss of step ${index}`).toEqual(expected);
      tf.dispose([given, results]);
    }
    expect(await values(recorded.state())).toEqual(await values(ordinary.state()));
    expect(step.status).toMatchObject({ mode: 'recorded' });
    step.dispose();
  });
});
