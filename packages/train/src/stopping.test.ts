import { backprop } from '@localgrad/backprop';
import { LocalgradError } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type EpochRecord, type TrainingCheckpoint, type TrainingEvent, train } from './index.js';
import { setUp, toyBatches } from './trainer.fixture.js';

beforeAll(() => tf.setBackend('cpu'));

describe('train', () => {
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

  it('completes the run at the epoch after which stopWhen returns true, with its result and a checkpoint', async () => {
    const { compiled, optimizer, dispose } = setUp(backprop(), 1);
    const events: TrainingEvent[] = [];
    const saved: TrainingCheckpoint[] = [];
    const seen: number[][] = [];
    const options = {
      compiled,
      optimizer,
      learningRate: 0.1,
      batches: toyBatches(16, 8),
      testBatches: toyBatches(8, 8, 2),
      epochs: 5,
      stopWhen: (records: readonly EpochRecord[]) => {
        seen.push(records.map(({ epoch }) => epoch));
        return records.length === 2;
      },
    };
    const result = await train({
      ...options,
      observers: [{ observe: (event) => events.push(event) }],
      checkpoints: { everyEpochs: 100, save: (checkpoint) => void saved.push(checkpoint) },
    });
    expect(seen).toEqual([[1], [1, 2]]);
    expect(result.epochs).toHaveLength(2);
    expect(result).toMatchObject({ steps: 4, testAccuracy: result.epochs[1]?.testAccuracy });
    expect(events.slice(-2).map(({ type }) => type)).toEqual(['epoch-end', 'run-end']);
    expect(events.at(-1)).toMatchObject({ status: 'completed', steps: 4 });
    expect(saved.map(({ progress }) => progress.step)).toEqual([4]);
    const resume = saved[0] as TrainingCheckpoint;
    expect(await train({ ...options, resume })).toMatchObject({ steps: 4 });
    expect(await train({ ...options, stopWhen: () => false, resume })).toMatchObject({ steps: 10 });
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
});
