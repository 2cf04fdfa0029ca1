import { clockAt, trainingMode } from '@localgrad/core';
import { partOf } from '@localgrad/engine';
import { captureTensors } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { dataOf } from '../message.js';
import type { Report } from '../part-worker.js';
import { build, imageShape } from '../plan.fixture.js';
import { SharedControl } from './control.js';
import { runAsynchronousPart } from './part.js';
import { type ReadBatch, SharedReplayBuffer } from './shared-buffer.js';
import { encodeBatches } from './stored-batch.js';
import type { WorkerTurn } from './turn.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const rules = { bufferSize: 2, maxReuse: 1, sampling: 'lifo' } as const;
const moment = (step: number) => ({ clock: clockAt(step, 2, 5), learningRate: 0.1 });

/** A buffer whose writer begins and stores a step whenever the reader is about to read. */
class BusyBuffer extends SharedReplayBuffer {
  onRead: () => void = () => {};

  override read(...random: Parameters<SharedReplayBuffer['read']>): ReadBatch | undefined {
    this.onRead();
    return super.read(...random);
  }
}

describe('a worker of asynchronous training', () => {
  it('trains in a step no earlier than that of its batch, even if the first worker begins one in between', async () => {
    const { compiled, optimizer } = build({ method: 'greedy', modules: 2 });
    const [first] = compiled.modules;
    if (first === undefined) throw new Error('no module');
    const images = tf.randomNormal([4, ...imageShape], 0, 1, 'float32', 1) as tf.Tensor4D;
    const pass = first.forward(images, trainingMode);
    pass.release();
    const batch = { images: pass.output, targets: { labels: tf.tensor1d([0, 1, 2, 0], 'int32') } };
    const bytes = encodeBatches([dataOf(batch, ['labels'])]);
    const tensors = await captureTensors(partOf(compiled, [1, 1]), optimizer);
    const control = SharedControl.create();
    const input = new BusyBuffer(rules, SharedReplayBuffer.create(rules, bytes.length).memory);
    let begun = 0;
    control.moment = moment(begun);
    control.command('run');
    input.onRead = () => {
      control.moment = moment(++begun);
      input.write(begun, bytes);
    };
    const turns: WorkerTurn[] = [];
    const report = (one: Report) => {
      if (one.kind === 'turn') turns.push(one.turn);
      if (turns.length === 3) control.command('end');
    };
    await runAsynchronousPart({
      ...{ compiled, optimizer, worker: 1, range: [1, 1], tensors, accumulate: 1, seed: 1, pace: 1 },
      ...{ input, control, report },
    });
    expect(turns.map(({ step, batch: trained }) => [step, trained])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
  });
});
