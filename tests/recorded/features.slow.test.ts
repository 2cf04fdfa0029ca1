import { backboneFactory, cifarResNet, visionTransformer } from '@localgrad/backbones';
import type { BackendHandle } from '@localgrad/backends';
import { backprop } from '@localgrad/backprop';
import { standardCatalog } from '@localgrad/catalog';
import type { HeadFactory, LocalLearningMethod, Weight } from '@localgrad/core';
import { greedy } from '@localgrad/greedy';
import { gatherScalars } from '@localgrad/kernels';
import { adamw, clipped } from '@localgrad/nn/optimizers';
import { heNormalFanOut } from '@localgrad/nn/random';
import { type TapeHeadOptions, tapeHead } from '@localgrad/nn/tape';
import { captureTensors, restoreTensors } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, it } from 'vitest';
import { startGpu } from './software-gpu.fixture.js';
import { createTraining, type TrainingOptions } from './training.fixture.js';

const backend: BackendHandle | undefined = await startGpu();
afterAll(() => backend?.dispose());

const small: TrainingOptions = {
  factory: cifarResNet({ depth: 8, widths: [4, 4, 8, 8] }),
  method: greedy(),
  modules: 3,
  side: 8,
  batch: 4,
};
const steps = 9;

/** Runs the same steps ordinarily and recorded; compares losses and state. @returns how the last recorded step ran */
async function compare(options: TrainingOptions, sizeOf: (index: number) => number = () => options.batch) {
  const ordinary = createTraining({ ...options, recordSteps: false });
  const recorded = createTraining(options);
  const modes: (string | undefined)[] = [];
  try {
    for (let index = 0; index < steps; index++) {
      const size = sizeOf(index);
      const [expected, found] = await Promise.all([ordinary.losses(index, size), recorded.losses(index, size)]);
      expect(found, `losses of step ${index}`).toEqual(expected);
      modes.push(recorded.step.recording?.mode);
    }
    const [expected, found] = await Promise.all([ordinary.state(), recorded.state()]);
    for (const [name, values] of expected) expect(found.get(name), name).toEqual(values);
    return { modes, status: recorded.step.recording };
  } finally {
    ordinary.dispose();
    recorded.dispose();
  }
}

/** Greedy learning with other weights or heads. */
function changed(weight: Weight | undefined, factory?: HeadFactory): LocalLearningMethod {
  const method = greedy();
  return {
    ...method,
    plan(network) {
      const plan = method.plan(network);
      const objectives = plan.objectives.map((objective, index) => {
        const head = factory === undefined || index > 0 ? objective.head : { key: 'own', factory };
        return { ...objective, head, weight: weight ?? objective.weight };
      });
      return { ...plan, objectives };
    },
  };
}

function headOf(
  fn: (scores: tf.Tensor2D, labels: tf.Tensor, clock: { readonly fraction: number }) => tf.Scalar,
): HeadFactory {
  return {
    name: 'own',
    build({ inputShape, classes }, scope) {
      const options: TapeHeadOptions = {
        name: 'own',
        scope,
        inputShape,
        parameters: [{ name: 'weight', shape: [inputShape[2], classes], initializer: heNormalFanOut }],
        fn(h, { labels }, [weight], { clock }) {
          if (labels === undefined || weight === undefined) throw new Error('missing');
          const scores = tf.matMul<tf.Tensor2D>(tf.mean(h, [1, 2]), weight);
          return fn(scores, tf.oneHot(labels, classes), clock);
        },
      };
      return tapeHead(options);
    },
  };
}

const crossEntropy = (scores: tf.Tensor2D, truth: tf.Tensor) =>
  tf.losses.softmaxCrossEntropy<tf.Tensor, tf.Scalar>(truth, scores);

describe.skipIf(backend === undefined)('recorded steps equal ordinary ones', { timeout: 600_000 }, () => {
  it('with AdamW, dropout and micro-batches', async () => {
    const factory = backboneFactory('mlp', { layers: 3, width: 8, dropout: 0.3 });
    const createOptimizer = () => adamw({ learningRate: 0.01 });
    const { status } = await compare({ ...small, factory, createOptimizer, accumulate: 2, seed: 5 });
    expect(status).toMatchObject({ mode: 'recorded' });
  });

  it('of a vision transformer', async () => {
    const factory = visionTransformer({ width: 12, heads: 2, depth: 2, patch: 2 });
    const { status } = await compare({ ...small, factory, method: backprop(), modules: 1, side: 4 });
    expect(status).toMatchObject({ mode: 'recorded' });
  });

  it('with gradients that are clipped by their global norm', async () => {
    const createOptimizer = () => clipped(adamw({ learningRate: 0.01 }), { norm: 0.1 });
    const { status } = await compare({ ...small, createOptimizer });
    expect(status).toMatchObject({ mode: 'recorded' });
  });

  it('with loss weights that change at every step', async () => {
    const { status } = await compare({ ...small, method: changed(({ fraction }) => 1 - fraction) });
    expect(status).toMatchObject({ mode: 'recorded' });
  });

  it('with loss weights that change once, after recording', async () => {
    const { modes } = await compare({ ...small, method: changed(({ step }) => (step < 5 ? 1 : 0.5)) });
    expect(modes.slice(2)).toEqual([
      'recorded',
      'recorded',
      'recorded',
      'recorded',
      'recorded',
      'recorded',
      'recorded',
    ]);
  });

  it('with batches of another size in between', async () => {
    const { modes } = await compare(small, (index) => (index % 5 === 4 ? 3 : 4));
    expect(modes.at(3)).toBe('recorded');
    expect(modes.at(-1)).toBe('recorded');
  });

  it('with averages that are copies', async () => {
    const method = standardCatalog.method('lam(greedy, momentum: 0)');
    const { status } = await compare({ ...small, method });
    expect(status).toMatchObject({ mode: 'recorded' });
  });

  it('with a head that is differentiated by the tape', async () => {
    const { status } = await compare({ ...small, method: changed(undefined, headOf(crossEntropy)) });
    expect(status).toMatchObject({ mode: 'recorded' });
  });

  it('with a head that reads the clock, ordinarily', async () => {
    const head = headOf((scores, truth, { fraction }) => tf.mul(crossEntropy(scores, truth), 1 - fraction / 2));
    const { status } = await compare({ ...small, method: changed(undefined, head) });
    expect(status).toEqual({ mode: 'ordinary', reason: 'a head reads the clock' });
  });

  it('with a head that reads values back, ordinarily', async () => {
    const head = headOf((scores, truth) => {
      void scores.data();
      return crossEntropy(scores, truth);
    });
    const { status } = await compare({ ...small, method: changed(undefined, head) });
    expect(status).toEqual({ mode: 'ordinary', reason: 'it reads values back from the device' });
  });

  it('in losses that are gathered for one read', async () => {
    const training = createTraining(small);
    const scalars: tf.Scalar[] = [];
    for (let index = 0; index < steps; index++) {
      const { losses, terms } = training.runStep(index);
      scalars.push(...losses.values());
      tf.dispose([...terms.values()]);
    }
    const each = await Promise.all(scalars.map(async (scalar) => (await scalar.data())[0]));
    const gathered = gatherScalars([...scalars, tf.scalar(0.25)]);
    expect([...(await gathered.data())]).toEqual([...each, 0.25]);
    tf.dispose([gathered, scalars]);
    training.dispose();
  });

  it('after a checkpoint of a recorded run is restored', async () => {
    const method = standardCatalog.method('mlaan(greedy)');
    const straight = createTraining({ ...small, method, recordSteps: false });
    const first = createTraining({ ...small, method });
    const expected: Record<string, number>[] = [];
    for (let index = 0; index < 14; index++) expected.push(await straight.losses(index));
    for (let index = 0; index < 7; index++) expect(await first.losses(index)).toEqual(expected[index]);
    const checkpoint = await captureTensors(first.compiled, first.optimizer);
    first.dispose();
    const resumed = createTraining({ ...small, method });
    restoreTensors(resumed.compiled, resumed.optimizer, checkpoint);
    for (let index = 7; index < 14; index++) expect(await resumed.losses(index)).toEqual(expected[index]);
    expect(resumed.step.recording).toMatchObject({ mode: 'recorded' });
    const [one, other] = await Promise.all([straight.state(), resumed.state()]);
    for (const [name, values] of one) expect(other.get(name), name).toEqual(values);
    for (const training of [straight, resumed]) training.dispose();
  });
});
