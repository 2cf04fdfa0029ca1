import { backprop } from '@localgrad/backprop';
import { dgl } from '@localgrad/dgl';
import { createLiteralExecutor } from '@localgrad/engine';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type BatchSource, type OwnedBatch, type StepPipeline, type TrainingEvent, train } from './index.js';
import { setUp, toyBatches } from './trainer.fixture.js';

beforeAll(() => tf.setBackend('cpu'));

const missing = () => Promise.reject(new Error('not started'));

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
      'The label of sample 0 of the batch is 2, but the network has 2 classes: labels are integers from 0 to 1, of type int32.',
    );
    if (part === 'batches') expect(tf.memory().numTensors).toBe(before);
    dispose();
  });
});

describe('train', () => {
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

  it.each([
    [2, 'more than 2', 2],
    [4, '3', 3],
  ])('rejects a source of three batches that declares %i', async (batchesPerEpoch, found, steps) => {
    const { compiled, optimizer, dispose } = setUp(backprop(), 1);
    const events: TrainingEvent[] = [];
    const batches = { ...toyBatches(24, 8), batchesPerEpoch };
    const observers = [{ observe: (event: TrainingEvent) => events.push(event) }];
    const before = tf.memory().numTensors;
    await expect(train({ compiled, optimizer, learningRate: 0.1, batches, epochs: 2, observers })).rejects.toThrow(
      `The source of training batches yields ${found} batches in epoch 1, but its batchesPerEpoch is ${batchesPerEpoch}.`,
    );
    expect(events.at(-1)).toMatchObject({ type: 'run-end', status: 'failed', steps });
    expect(tf.memory().numTensors - before).toBe(optimizer.state().size);
    dispose();
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
    const pipeline: StepPipeline = {
      ...{ depth: 1, predict: compiled.predict, start: missing, submit: missing, next: missing, gather: missing },
      stop: missing,
    };
    await expect(train({ ...options, pipeline, executor: createLiteralExecutor })).rejects.toThrow(
      /option 'executor' has no effect on the workers of a pipeline/,
    );
    dispose();
  });
});
