import { backprop } from '@localgrad/backprop';
import { dgl } from '@localgrad/dgl';
import { type CompiledPlan, createLiteralExecutor } from '@localgrad/engine';
import { cosine } from '@localgrad/nn/schedules';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type BatchSource,
  type OwnedBatch,
  type TrainingCheckpoint,
  type TrainingEvent,
  type TrainOptions,
  train,
} from './index.js';
import { setUp, toyBatches } from './trainer.fixture.js';

beforeAll(() => tf.setBackend('cpu'));

describe('train', () => {
  it('emits frozen events in order', async () => {
    const { compiled, optimizer, dispose } = setUp(dgl(), 2);
    const events: TrainingEvent[] = [];
    const result = await train({
      compiled,
      optimizer,
      learningRate: 0.05,
      batches: toyBatches(24, 8),
      testBatches: toyBatches(16, 8, 2),
      epochs: 2,
      logEvery: 2,
      observers: [{ observe: (event) => events.push(event) }],
    });
    dispose();
    const epoch = ['epoch-start', 'step-end', 'step-end', 'step-end', 'evaluation-end', 'epoch-end'];
    expect(events.map(({ type }) => type)).toEqual(['run-start', ...epoch, ...epoch, 'run-end']);
    const steps = events.filter((event) => event.type === 'step-end');
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(steps.map(({ losses }) => losses !== undefined)).toEqual([false, true, true, false, true, true]);
    expect(Object.keys(steps[1]?.losses ?? {})).toHaveLength(2);
    expect(events.every((event) => Object.isFrozen(event))).toBe(true);
    expect(result.epochs.map((record) => record.epoch)).toEqual([1, 2]);
    expect(result.peakBytes).toBeGreaterThan(0);
    expect(events.at(-1)).toMatchObject({
      type: 'run-end',
      status: 'completed',
      steps: 6,
      testAccuracy: result.testAccuracy,
    });
  });

  it('evaluates every few epochs, and after the last, with the same training', async () => {
    const run = async (evaluateEvery?: number) => {
      const { compiled, optimizer, dispose } = setUp(dgl(), 2);
      const testBatches = toyBatches(16, 8, 2);
      const batches = toyBatches(24, 8);
      const result = await train({
        ...{ compiled, optimizer, learningRate: 0.05, batches, testBatches, epochs: 5 },
        ...(evaluateEvery === undefined ? {} : { evaluateEvery }),
      });
      dispose();
      return result;
    };
    const [always, sometimes] = [await run(), await run(2)];
    expect(always.epochs.every(({ testLoss }) => testLoss !== undefined)).toBe(true);
    for (const [index, { losses, testLoss }] of sometimes.epochs.entries()) {
      expect(losses).toEqual(always.epochs[index]?.losses);
      expect(testLoss).toBe([2, 4, 5].includes(index + 1) ? always.epochs[index]?.testLoss : undefined);
    }
    expect(sometimes.testAccuracy).toBe(always.testAccuracy);
  });

  it('learns, and is bit-identical for the same seed', async () => {
    const run = async (seed: number, epochs = 2) => {
      const { compiled, optimizer, dispose } = setUp(dgl(), 3, seed);
      const result = await train({
        compiled,
        optimizer,
        learningRate: cosine({ learningRate: 0.05 }),
        batches: toyBatches(120, 8),
        testBatches: toyBatches(32, 16, 2),
        epochs,
      });
      const weights = [...compiled.parameters].map(([name, { value }]) => [name, [...value.dataSync()]] as const);
      dispose();
      return {
        accuracies: result.epochs.map((record) => [record.testAccuracy, record.testLoss, record.losses]),
        weights,
      };
    };
    const first = await run(7);
    expect(first.accuracies.at(-1)?.[0]).toBeGreaterThan(0.9);
    expect(await run(7)).toEqual(first);
    expect((await run(8, 1)).weights).not.toEqual(first.weights);
  });

  it('leaks no tensors over 50 steps; only the optimizer state remains', async () => {
    const { compiled, optimizer, dispose } = setUp(dgl(), 2);
    const warm = { compiled, optimizer, learningRate: 0.01, batches: toyBatches(8, 8), epochs: 1 };
    await train(warm);
    const before = tf.memory().numTensors;
    await train({ ...warm, batches: toyBatches(100, 2), testBatches: toyBatches(8, 8) });
    expect(tf.memory().numTensors).toBe(before);
    dispose();
  });

  it('accepts asynchronous batches, with bit-identical results', async () => {
    const run = async (change: (source: BatchSource) => BatchSource) => {
      const { compiled, optimizer, dispose } = setUp(dgl(), 2);
      const options = { compiled, optimizer, learningRate: 0.05, epochs: 2 };
      const { epochs } = await train({
        ...options,
        batches: change(toyBatches(24, 8)),
        testBatches: change(toyBatches(16, 8, 2)),
      });
      dispose();
      return epochs.map(({ losses, testAccuracy, testLoss }) => ({ losses, testAccuracy, testLoss }));
    };
    const asynchronous = (source: BatchSource): BatchSource => ({
      ...source,
      async *epoch(epoch, fromSample) {
        for await (const batch of source.epoch(epoch, fromSample)) {
          await new Promise((resolve) => setTimeout(resolve, 1));
          yield batch;
        }
      },
    });
    expect(await run(asynchronous)).toEqual(await run((source) => source));
  });

  it('runs with a different executor, and with micro-batches', async () => {
    const run = async (more: Partial<TrainOptions>) => {
      const { compiled, optimizer, dispose } = setUp(dgl(), 2);
      const { epochs } = await train({
        compiled,
        optimizer,
        learningRate: 0.05,
        batches: toyBatches(24, 8),
        epochs: 1,
        ...more,
      });
      dispose();
      return epochs[0]?.losses;
    };
    const executors: string[] = [];
    const literal = (compiled: CompiledPlan) => {
      executors.push(compiled.plan.method);
      return createLiteralExecutor(compiled);
    };
    const losses = await run({});
    for (const [id, loss] of Object.entries((await run({ executor: literal })) ?? {})) {
      expect(loss).toBeCloseTo(losses?.[id] ?? Number.NaN, 3);
    }
    expect(executors).toEqual(['dgl']);
    expect(Object.keys((await run({ accumulate: 4 })) ?? {})).toEqual(Object.keys(losses ?? {}));
    await expect(run({ accumulate: 1.5 })).rejects.toThrow(/'accumulate' is 1\.5; allowed: integers ≥ 1/);
  });

  it('rejects observers that are functions, with their index', async () => {
    const { compiled, optimizer, dispose } = setUp(backprop(), 1);
    const options = { compiled, optimizer, learningRate: 0.1, batches: toyBatches(8, 8), epochs: 1 };
    const observers = [{ observe: () => {} }, () => {}] as never;
    await expect(train({ ...options, observers })).rejects.toThrow(
      /'observers\[1\]' is .*allowed: objects with a method obs/,
    );
    dispose();
  });

  it('continues after non-finite test losses, and restores them from JSON', async () => {
    const { compiled, optimizer, dispose } = setUp(backprop(), 1);
    const saved: TrainingCheckpoint[] = [];
    const broken: BatchSource = {
      ...toyBatches(8, 8),
      *epoch() {
        const images = tf.fill([8, 4, 4, 1], Number.NaN) as tf.Tensor4D;
        const targets = { labels: tf.zeros([8], 'int32') as tf.Tensor1D };
        yield { images, targets, dispose: () => tf.dispose([images, targets.labels]) };
      },
    };
    const options = { compiled, optimizer, learningRate: 0.1, batches: toyBatches(8, 8), testBatches: broken };
    const straight = await train({
      ...options,
      epochs: 2,
      checkpoints: { save: (checkpoint) => void saved.push(checkpoint) },
    });
    const { progress, tensors } = saved[0] as TrainingCheckpoint;
    const resume = { progress: JSON.parse(JSON.stringify(progress)), tensors };
    const resumed = await train({ ...options, epochs: 2, resume });
    expect(resumed.epochs[0]).toEqual(straight.epochs[0]);
    expect(resumed.epochs[0]?.testLoss).toBeNaN();
    dispose();
  });

  it('marks non-finite evaluations as diverged, and excludes them from the best accuracy', async () => {
    const { compiled, optimizer, dispose } = setUp(backprop(), 1);
    const events: TrainingEvent[] = [];
    const good = toyBatches(8, 8, 2);
    let evaluations = 0;
    const breaking: BatchSource = {
      ...good,
      *epoch(epoch) {
        for (const batch of good.epoch(epoch) as Iterable<OwnedBatch>) {
          if (++evaluations === 1) yield batch;
          else yield { ...batch, images: tf.mul(batch.images, Number.NaN) };
        }
      },
    };
    const options = { compiled, optimizer, learningRate: 0.1, batches: toyBatches(8, 8), testBatches: breaking };
    const result = await train({ ...options, epochs: 2, observers: [{ observe: (event) => events.push(event) }] });
    expect(result.epochs.map(({ diverged }) => diverged)).toEqual([undefined, true]);
    expect(result.diverged).toBe(true);
    expect(result.testMetrics).toEqual({ loss: Number.NaN, accuracy: 0 });
    expect(result.bestTestAccuracy).toBe(result.epochs[0]?.testAccuracy);
    const evaluated = events.filter((event) => event.type === 'evaluation-end');
    expect(evaluated.map(({ diverged, metrics }) => [diverged, Object.keys(metrics)])).toEqual([
      [undefined, ['loss', 'accuracy']],
      [true, ['loss', 'accuracy']],
    ]);
    dispose();
  });
});
