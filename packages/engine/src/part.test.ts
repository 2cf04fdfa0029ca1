import {
  at,
  type Clock,
  clockAt,
  type Objective,
  type Optimizer,
  startOfTraining,
  type TrainingPlan,
} from '@localgrad/core';
import { adam } from '@localgrad/nn/optimizers';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CompiledPlan,
  createExecutor,
  createPartStep,
  createTrainStep,
  type ExecutorOptions,
  partOf,
} from './index.js';
import { headFactory } from './plain-network.fixture.js';
import type { Batch } from './step.js';
import { compileFour, randomBatch, recorder } from './train-step.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const steps = 5;
const snapshot = ({ parameters }: CompiledPlan) =>
  [...parameters].map(([name, { value }]) => [name, String(value.dataSync())] as const);

/** A copy of a batch that the caller owns. */
function copyOf({ images, targets }: Batch): Batch {
  const copies = Object.entries(targets).flatMap(([name, target]) =>
    target === undefined ? [] : [[name, target.clone()] as const],
  );
  return { images: tf.keep(images.clone()), targets: Object.fromEntries(copies.map(([n, t]) => [n, tf.keep(t)])) };
}

/** Trains the parts one after the other in each step. @returns losses of each step by objective */
function trainInParts(compiled: CompiledPlan, ranges: readonly (readonly [number, number])[], accumulate: number) {
  const outputs: Batch[] = [];
  const parts = ranges.map((range) => {
    const part = partOf(compiled, range);
    const executor = (one: CompiledPlan) =>
      createExecutor(one, { onOutput: (output) => void outputs.push(copyOf(output)) });
    return createTrainStep({ compiled: part, optimizer: adam({ learningRate: 0.01 }), executor, accumulate, seed: 3 });
  });
  return Array.from({ length: steps }, (_, step) => {
    const batch = randomBatch(step);
    let inputs: readonly Batch[] | Batch = batch;
    const losses: Record<string, number> = {};
    for (const part of parts) {
      if (Array.isArray(inputs) && inputs.length === 0) break;
      const result = part.run(inputs, clockAt(step, 1, steps));
      for (const [id, loss] of result.losses) losses[id] = loss.dataSync()[0] ?? Number.NaN;
      inputs = outputs.splice(0);
    }
    return losses;
  });
}

/** The first half of training trains module 0 alone, the second all but module 0. */
function inHalves(plan: TrainingPlan): TrainingPlan {
  const phases = [
    { name: 'first', objectives: ['module0'] },
    { name: 'second', objectives: plan.objectives.slice(1).map(({ id }) => id), frozen: [0] },
  ];
  const phaseAt = ({ fraction }: Clock) => (fraction < 0.5 ? 'first' : 'second');
  return { ...plan, phases: { phases, phaseAt } };
}

describe('partOf', () => {
  it.each([
    ['two parts', undefined, 1],
    ['two parts with micro-batches', undefined, 3],
    ['phases that end within the first part', inHalves, 1],
  ] as const)('trains the same bits as the whole plan: %s', (_, change, accumulate) => {
    const whole = compileFour(change);
    const expected = trainInParts(whole.compiled, [[0, 3]], accumulate);
    for (const ranges of [
      [
        [0, 1],
        [2, 3],
      ],
      [
        [0, 0],
        [1, 2],
        [3, 3],
      ],
    ] as const) {
      const { compiled } = compileFour(change);
      expect(trainInParts(compiled, ranges, accumulate)).toEqual(expected);
      expect(snapshot(compiled)).toEqual(snapshot(whole.compiled));
    }
  });

  it('contains the parameters of its modules and heads, each of the plan in one part', () => {
    const { compiled } = compileFour();
    const names = ([first, last]: readonly [number, number]) => [...partOf(compiled, [first, last]).parameters.keys()];
    expect([...names([0, 1]), ...names([2, 3])].sort()).toEqual([...compiled.parameters.keys()].sort());
    expect(names([3, 3]).every((name) => /^(b3|fc)\./.test(name))).toBe(true);
  });

  it('predicts less memory than the whole plan, and its input in place of images', () => {
    const { compiled } = compileFour();
    const part = partOf(compiled, [2, 3]);
    const whole = compiled.predict(8);
    expect(part.predict(8).batchBytes).toBe(4 * 8 * (6 * 6 * 3 + 1));
    // It receives micro-batches one after the other; the first part slices them from the batch.
    expect(part.predict(8, { accumulate: 2 }).batchBytes).toBe(part.predict(4).batchBytes);
    const first = partOf(compiled, [0, 1]);
    expect(first.predict(8, { accumulate: 2 }).batchBytes).toBe(first.predict(8).batchBytes);
    expect(part.predict(8).residentBytes + partOf(compiled, [0, 1]).predict(8).residentBytes).toBe(whole.residentBytes);
    expect(part.predict(8).modules.slice(0, 2)).toEqual([0, 0]);
  });

  it('rejects a batch whose images are not the output of the module before', () => {
    const { compiled } = compileFour();
    const step = createTrainStep({ compiled: partOf(compiled, [2, 3]), optimizer: adam({ learningRate: 0.01 }) });
    expect(() => step.run(randomBatch(1), clockAt(0, 1, steps))).toThrow(
      /must have images of shape \[8, 6, 6, 3\], but has \[8, 6, 6, 2\]/,
    );
  });

  it.each([
    ['one window', [[0, 1] as const]],
    ['windows that overlap at the cut', [[1, 2] as const, [0, 3] as const, [1, 3] as const]],
  ])('computes the gradients of the whole plan where they cross between parts: %s', (_, windows) => {
    const change = (plan: TrainingPlan): TrainingPlan => ({
      ...plan,
      objectives: [
        ...plan.objectives,
        ...windows.map((span): Objective => {
          const key = `window${span.join('-')}`;
          return { id: key, span, weight: 0.5, role: 'cascaded', head: { key, factory: headFactory } };
        }),
      ],
    });
    const batch = randomBatch(1);
    const whole = recorder();
    createTrainStep({ compiled: compileFour(change).compiled, optimizer: whole.optimizer }).run(batch, startOfTraining);

    const { compiled } = compileFour(change);
    const found = recorder();
    const cotangents: tf.Tensor4D[] = [];
    const outputs: Batch[] = [];
    const run = (range: readonly [number, number], input: Batch, optimizer: Optimizer, links: ExecutorOptions) =>
      createPartStep({ compiled: partOf(compiled, range), optimizer, ...links }).run(input, {
        clock: startOfTraining,
        learningRate: 0,
      });
    // The first part runs twice, because it waits for the second one within its step: the recorder changes no weights.
    const onOutput = (output: Batch) => void outputs.push(copyOf(output));
    const receive = () => tf.zeros<tf.Rank.R4>([8, 6, 6, 3]);
    run([0, 1], batch, recorder().optimizer, { onOutput, crossings: { send: () => {}, receive } });
    const [output] = outputs;
    if (output === undefined) throw new Error('no output');
    const send = (cotangent: tf.Tensor4D) => void cotangents.push(tf.keep(cotangent.clone()));
    run([2, 3], output, found.optimizer, { crossings: { send, receive } });
    const sent = cotangents.length;
    run([0, 1], batch, found.optimizer, {
      crossings: { send, receive: () => at(cotangents.splice(0, 1), 0, 'gradient') },
    });
    expect(cotangents).toEqual([]);
    expect(sent).toBe(new Set(windows.filter(([from, to]) => from < 2 && to >= 2).map(([from]) => from)).size);
    const sorted = (gradients: ReadonlyMap<string, number[]>) => [...gradients].sort(([a], [b]) => (a < b ? -1 : 1));
    expect(sorted(found.gradients())).toEqual(sorted(whole.gradients()));
  });

  it('reports gradients that leave a part without a connection', () => {
    const { compiled } = compileFour((plan) => ({
      ...plan,
      objectives: plan.objectives.map((one) => (one.id === 'final' ? { ...one, span: [1, 3] as const } : one)),
    }));
    const step = createPartStep({ compiled: partOf(compiled, [2, 3]), optimizer: recorder().optimizer });
    const images = tf.zeros<tf.Rank.R4>([8, 6, 6, 3]);
    const { targets } = randomBatch(1);
    expect(() => step.run({ images, targets }, { clock: startOfTraining, learningRate: 0 })).toThrow(
      /gradient leaves a part/,
    );
  });
});
