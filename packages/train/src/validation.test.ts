import { dgl } from '@localgrad/dgl';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { accuraciesOf } from './evaluation-records.js';
import { type BatchSource, type OwnedBatch, type TrainingCheckpoint, type TrainingEvent, train } from './index.js';
import { setUp, toyBatches } from './trainer.fixture.js';

beforeAll(() => tf.setBackend('cpu'));

/** Trains two epochs; every validation but the first has NaN images if `breaks`. */
async function run(breaks = false) {
  const { compiled, optimizer, dispose } = setUp(dgl(), 2);
  const events: TrainingEvent[] = [];
  const saved: TrainingCheckpoint[] = [];
  const held = toyBatches(8, 8, 3);
  let evaluations = 0;
  const validationBatches: BatchSource = {
    ...held,
    *epoch(epoch) {
      for (const batch of held.epoch(epoch) as Iterable<OwnedBatch>) {
        const isBroken = breaks && ++evaluations > 1;
        yield isBroken ? { ...batch, images: tf.mul(batch.images, Number.NaN) } : batch;
      }
    },
  };
  const options = {
    compiled,
    optimizer,
    learningRate: 0.05,
    batches: toyBatches(24, 8),
    validationBatches,
    testBatches: toyBatches(16, 8, 2),
    epochs: 2,
  };
  const result = await train({
    ...options,
    observers: [{ observe: (event) => events.push(event) }],
    checkpoints: { save: (checkpoint) => void saved.push(checkpoint) },
  });
  const [first] = saved;
  if (first === undefined) throw new Error('no checkpoint');
  const resumed = await train({
    ...options,
    resume: { ...first, progress: JSON.parse(JSON.stringify(first.progress)) },
  });
  dispose();
  return { result, resumed, events };
}

describe('validation batches', () => {
  it('are evaluated before the test batches, recorded by epoch, and summed up with the epoch that they choose', async () => {
    const { result, resumed, events } = await run();
    const evaluations = events.filter((event) => event.type === 'evaluation-end');
    expect(evaluations.map(({ epoch, set, samples }) => [epoch, set, samples])).toEqual([
      [1, 'validation', 8],
      [1, 'test', 16],
      [2, 'validation', 8],
      [2, 'test', 16],
    ]);
    const [firstEpoch, secondEpoch] = result.epochs;
    expect(secondEpoch).toMatchObject({
      validationAccuracy: evaluations[2]?.accuracy,
      validationLoss: evaluations[2]?.loss,
      validationMetrics: evaluations[2]?.metrics,
      testAccuracy: evaluations[3]?.accuracy,
    });
    const isFirstBest = (firstEpoch?.validationAccuracy ?? 0) >= (secondEpoch?.validationAccuracy ?? 0);
    const best = isFirstBest ? firstEpoch : secondEpoch;
    expect(result.validation).toEqual({
      accuracy: secondEpoch?.validationAccuracy,
      best: { epoch: best?.epoch, accuracy: best?.validationAccuracy, testAccuracy: best?.testAccuracy },
    });
    expect(events.at(-1)).toMatchObject({ type: 'run-end', validation: result.validation });
    expect(resumed.validation).toEqual(result.validation);
  });

  it('mark a run as diverged, choose no such epoch, and survive a checkpoint', async () => {
    const { result, resumed } = await run(true);
    expect(result.epochs.map(({ diverged }) => diverged)).toEqual([undefined, true]);
    expect(result.diverged).toBe(true);
    expect(result.epochs[1]?.validationLoss).toBeNaN();
    expect(result.epochs[1]?.testLoss).toBeLessThan(10);
    expect(result.validation?.best?.epoch).toBe(1);
    expect(resumed.epochs[0]).toEqual(result.epochs[0]);
  });

  it('are optional', async () => {
    const { compiled, optimizer, dispose } = setUp(dgl(), 2);
    const { validation, epochs } = await train({
      ...{ compiled, optimizer, learningRate: 0.05, epochs: 1 },
      batches: toyBatches(8, 8),
      testBatches: toyBatches(8, 8),
    });
    dispose();
    expect(validation).toBeUndefined();
    expect(Object.keys(epochs[0] ?? {}).filter((name) => name.startsWith('validation'))).toEqual([]);
  });
});

describe('accuraciesOf', () => {
  const records = [
    { epoch: 1, validationAccuracy: 0.5, validationLoss: 1, testAccuracy: 0.9, testLoss: 1 },
    { epoch: 2, validationAccuracy: 0.75, validationLoss: 1, testAccuracy: 0.6, testLoss: 1 },
    { epoch: 3, validationAccuracy: 0.75, validationLoss: 1, testAccuracy: 0.7, testLoss: 1 },
    {
      epoch: 4,
      validationAccuracy: 1,
      validationLoss: Number.NaN,
      testAccuracy: 1,
      testLoss: 1,
      diverged: true as const,
    },
  ];

  it('takes the first of the epochs with the highest validation accuracy, and its test accuracy', () => {
    expect(accuraciesOf(records.slice(0, 3))).toEqual({
      testAccuracy: 0.7,
      bestTestAccuracy: 0.9,
      validation: { accuracy: 0.75, best: { epoch: 2, accuracy: 0.75, testAccuracy: 0.6 } },
    });
  });

  it('omits diverged evaluations from what is best', () => {
    expect(accuraciesOf(records)).toMatchObject({
      bestTestAccuracy: 0.9,
      validation: { accuracy: 1, best: { epoch: 2 } },
      diverged: true,
    });
  });

  it('has no best epoch without accuracies', () => {
    expect(accuraciesOf([{ epoch: 1, validationLoss: 2, testLoss: 2 }]).validation).toEqual({
      accuracy: null,
      best: null,
    });
  });
});
