import { backboneFactory } from '@localgrad/backbones';
import { backprop } from '@localgrad/backprop';
import { createNetwork, LocalgradError, type LocalLearningMethod, resolvePartition } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { type CompiledPlan, compilePlan, createLiteralExecutor } from '@localgrad/engine';
import { sgd } from '@localgrad/nn/optimizers';
import { createRandom, createScope } from '@localgrad/nn/random';
import { cosine } from '@localgrad/nn/schedules';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { BatchSource, OwnedBatch, TrainingCheckpoint, TrainingEvent, TrainOptions } from './index.js';
import { train } from './index.js';

beforeAll(() => tf.setBackend('cpu'));

/** Two classes that differ in brightness. */
function toyBatches(samples: number, batchSize: number, seed = 1): BatchSource {
  const batchesPerEpoch = Math.ceil(samples / batchSize);
  return {
    samples,
    batchSize,
    batchesPerEpoch,
    *epoch(epoch) {
      const random = createRandom(seed, `epoch${epoch}`);
      for (let first = 0; first < samples; first += batchSize) {
        const size = Math.min(batchSize, samples - first);
        const labels = Array.from({ length: size }, () => random.integer(2));
        const values = labels.flatMap((label) => Array.from({ length: 64 }, () => random.normal() + 2 * label - 1));
        const images = tf.tensor4d(values, [size, 8, 8, 1]);
        const targets = { labels: tf.tensor1d(labels, 'int32') };
        const dispose = () => tf.dispose([images, targets.labels]);
        yield { images, targets, dispose };
      }
    },
  };
}

function setUp(method: LocalLearningMethod, modules: number, seed = 7) {
  const scope = createScope(seed);
  const backbone = backboneFactory('tiny').build({ inputShape: [8, 8, 1], classes: 2, scope });
  const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules }));
  const compiled = compilePlan(network, method.plan(network), { scope });
  const optimizer = sgd({ learningRate: 0.05 });
  const dispose = () => {
    optimizer.dispose();
    for (const parameter of scope.all().values()) parameter.dispose();
  };
  return { compiled, optimizer, dispose };
}

/** Batches whose first one has a label beyond the two classes. */
function withLabel(source: BatchSource, label: number): BatchSource {
  return {
    ...source,
    *epoch(epoch, fromSample) {
      for (const batch of source.epoch(epoch, fromSample) as Iterable<OwnedBatch>) {
        const labels = tf.fill([8], label, 'int32') as tf.Tensor1D;
        tf.dispose(Object.values(batch.targets).filter((target) => target !== undefined));
        yield { images: batch.images, targets: { labels }, dispose: () => tf.dispose([batch.images, labels]) };
      }
    },
  };
}

describe('labels of a batch source', () => {
  it.each(['batches', 'testBatches'] as const)('are checked against the classes: %s', async (part) => {
    const { compiled, optimizer, dispose } = setUp(backprop(), 1);
    const before = tf.memory().numTensors;
    const sources = { batches: toyBatches(16, 8), testBatches: toyBatches(16, 8, 2) };
    const options = { compiled, optimizer, learningRate: 0.05, epochs: 1, ...sources };
    const wrong = { ...options, [part]: withLabel(sources[part], 2) };
    await expect(train(wrong)).rejects.toThrow(
      'The label of sample 0 of the batch is 2, but the network has 2 classes: labels are 0 to 1.',
    );
    if (part === 'batches') expect(tf.memory().numTensors).toBe(before);
    dispose();
  });
});

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

  it('learns, and is bit-identical for the same seed', async () => {
    const run = async (seed: number) => {
      const { compiled, optimizer, dispose } = setUp(dgl(), 3, seed);
      const result = await train({
        compiled,
        optimizer,
        learningRate: cosine({ learningRate: 0.05 }),
        batches: toyBatches(120, 8),
        testBatches: toyBatches(32, 16, 2),
        epochs: 3,
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
    expect((await run(8)).weights).not.toEqual(first.weights);
  });

  it('leaks no tensors over 50 steps; only the optimizer state remains', async () => {
    const { compiled, optimizer, dispose } = setUp(dgl(), 2);
    const warm = { compiled, optimizer, learningRate: 0.01, batches: toyBatches(8, 8), epochs: 1 };
    await train(warm);
    const before = tf.memory().numTensors;
    await train({ ...warm, batches: toyBatches(400, 8), testBatches: toyBatches(8, 8) });
    expect(tf.memory().numTensors).toBe(before);
    dispose();
  });

  it('stops at a non-finite loss and reports step, objective and module', async () => {
    const { compiled, optimizer, dispose } = setUp(dgl(), 3);
    const before = tf.memory().numTensors;
    const events: TrainingEvent[] = [];
    const error = await train({
      compiled,
      optimizer,
      learningRate: 1e30,
      batches: toyBatches(48, 8),
      epochs: 1,
      logEvery: 3,
      observers: [{ observe: (event) => events.push(event) }],
    }).catch((reason: unknown) => reason);
    expect(LocalgradError.isInstance(error) && error.code).toBe('non-finite-loss');
    expect((error as LocalgradError).details).toMatchObject({ module: 0, moduleName: '(1,0)', step: 2 });
    expect((error as LocalgradError).message).toContain('module 0 (1,0)');
    expect(events.at(-1)).toMatchObject({ type: 'run-end', status: 'failed', steps: 3 });
    expect(tf.memory().numTensors - before).toBe(optimizer.state().size);
    dispose();
  });

  it('rejects a batch that does not fit in memory before the first step', async () => {
    const { compiled, optimizer, dispose } = setUp(backprop(), 2);
    const availableBytes = compiled.predict(20).peakBytes;
    const events: TrainingEvent[] = [];
    const options = {
      compiled,
      optimizer,
      learningRate: 0.1,
      epochs: 1,
      availableBytes,
      observers: [{ observe: (event: TrainingEvent) => events.push(event) }],
    };
    const error = await train({ ...options, batches: toyBatches(64, 32) }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'out-of-memory',
      details: { predictedBytes: compiled.predict(32).peakBytes, availableBytes, largestBatch: 20 },
    });
    expect((error as Error).message).toContain(`${compiled.predict(32).peakBytes} bytes predicted`);
    expect(events).toEqual([]);
    dispose();
  });

  it('stops after the current step when aborted', async () => {
    const { compiled, optimizer, dispose } = setUp(backprop(), 1);
    const controller = new AbortController();
    const events: TrainingEvent[] = [];
    const reason = new Error('enough');
    const running = train({
      compiled,
      optimizer,
      learningRate: 0.1,
      batches: toyBatches(64, 8),
      epochs: 3,
      signal: controller.signal,
      observers: [
        {
          observe(event) {
            events.push(event);
            if (event.type === 'step-end' && event.step === 2) controller.abort(reason);
          },
        },
      ],
    });
    await expect(running).rejects.toBe(reason);
    expect(events.at(-1)).toMatchObject({ type: 'run-end', status: 'aborted', steps: 2, reason: 'enough' });
    dispose();
  });

  it('stops at the end of an epoch after its evaluation and a checkpoint, even if none is due', async () => {
    const { compiled, optimizer, dispose } = setUp(backprop(), 1);
    const controller = new AbortController();
    const reason = new Error('enough');
    const events: TrainingEvent[] = [];
    const saved: TrainingCheckpoint[] = [];
    const observe = (event: TrainingEvent) => {
      events.push(event);
      if (event.type === 'step-end' && event.step === 4) controller.abort(reason);
    };
    const options = { compiled, optimizer, learningRate: 0.1, batches: toyBatches(16, 8), epochs: 3 };
    const running = train({
      ...options,
      testBatches: toyBatches(8, 8, 2),
      signal: controller.signal,
      observers: [{ observe }],
      checkpoints: { everyEpochs: 100, save: (checkpoint) => void saved.push(checkpoint) },
    });
    await expect(running).rejects.toBe(reason);
    expect(events.slice(-4).map(({ type }) => type)).toEqual(['step-end', 'evaluation-end', 'epoch-end', 'run-end']);
    expect(events.at(-1)).toMatchObject({ status: 'aborted', steps: 4 });
    expect(saved.map(({ progress: { step, epoch, batchesDone } }) => ({ step, epoch, batchesDone }))).toEqual([
      { step: 4, epoch: 3, batchesDone: 0 },
    ]);
    expect(saved[0]?.progress.records).toHaveLength(2);
    dispose();
  });

  it('saves step checkpoints also at the end of an epoch, and only once if both kinds are due', async () => {
    const { compiled, optimizer, dispose } = setUp(backprop(), 1);
    const options = { compiled, optimizer, learningRate: 0.1, batches: toyBatches(16, 8), epochs: 6 };
    const steps: number[] = [];
    const save = ({ progress }: TrainingCheckpoint) => void steps.push(progress.step);
    await train({ ...options, checkpoints: { everyEpochs: 3, everySteps: 4, save } });
    expect(steps).toEqual([4, 6, 8, 12]);
    dispose();
  });

  it('saves an additional checkpoint when isDue returns true, after a step or an epoch', async () => {
    const { compiled, optimizer, dispose } = setUp(backprop(), 1);
    const options = { compiled, optimizer, learningRate: 0.1, batches: toyBatches(16, 8), epochs: 3 };
    const steps: number[] = [];
    let asked = 0;
    const save = ({ progress }: TrainingCheckpoint) => void steps.push(progress.step);
    await train({ ...options, checkpoints: { everyEpochs: 100, isDue: () => ++asked % 2 === 0, save } });
    // Called after the first batch of an epoch and at its end; the end of the last epoch is always saved.
    expect(steps).toEqual([2, 4, 6]);
    dispose();
  });

  it('continues after non-finite test losses, and restores them from JSON', async () => {
    const { compiled, optimizer, dispose } = setUp(backprop(), 1);
    const saved: TrainingCheckpoint[] = [];
    const broken: BatchSource = {
      ...toyBatches(8, 8),
      *epoch() {
        const images = tf.fill([8, 8, 8, 1], Number.NaN) as tf.Tensor4D;
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

  it('reports non-finite weights before the first step', async () => {
    const { compiled, optimizer, dispose } = setUp(dgl(), 2);
    const weight = compiled.parameters.get('fc.weight');
    weight?.assign(tf.fill([...weight.shape], Number.POSITIVE_INFINITY));
    const running = train({ compiled, optimizer, learningRate: 0.1, batches: toyBatches(8, 8), epochs: 1 });
    await expect(running).rejects.toThrow(/'fc\.weight' of head 'classifier'.*non-finite/);
    dispose();
  });

  it('reports a final head without measure before the first step', async () => {
    const { compiled, optimizer, dispose } = setUp(backprop(), 1);
    const { backbone } = compiled.network;
    const { measure: _, ...classifier } = backbone.classifier;
    const network = { ...compiled.network, backbone: { ...backbone, classifier } };
    const heads = new Map(
      [...compiled.heads].map(([module, group]) => [module, group.map((one) => ({ ...one, head: classifier }))]),
    );
    const options = {
      compiled: { ...compiled, network, heads },
      optimizer,
      learningRate: 0.1,
      batches: toyBatches(8, 8),
    };
    await expect(train({ ...options, testBatches: toyBatches(8, 8), epochs: 1 })).rejects.toThrow(
      /final head 'classifier' has no method 'measure'/,
    );
    dispose();
  });

  it('lists the allowed options for an unknown one', async () => {
    const { compiled, optimizer, dispose } = setUp(backprop(), 1);
    const options = { compiled, optimizer, learningRate: 0.1, batches: toyBatches(8, 8), epochs: 1 };
    await expect(train({ ...options, epoch: 2 } as never)).rejects.toThrow(/option of train 'epoch'.*epochs/);
    await expect(train({ ...options, epochs: 0 })).rejects.toThrow(/'epochs' is 0; allowed: integers ≥ 1/);
    dispose();
  });
});
