import { Worker } from 'node:worker_threads';
import { createRandom } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { patientRingSender, ringReceiver, ringSender } from './channel.js';
import {
  batchOf,
  dataOf,
  decodeCotangent,
  decodeMessage,
  decodeWeights,
  encodeCotangent,
  encodeMessage,
  encodeWeights,
} from './message.js';
import { SharedRing } from './ring.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** A thread that returns each byte plus one, from one ring to the other, in pieces of `size` bytes. */
function startThread(input: SharedRing, output: SharedRing, total: number): Worker {
  const program = `
const { workerData: { input, output, total } } = require('node:worker_threads');
const counters = [input, output].map((memory) => new Int32Array(memory, 0, 2));
const data = [input, output].map((memory) => new Uint8Array(memory, 8));
for (let done = 0; done < total; done++) {
  Atomics.wait(counters[0], 0, done);
  const value = data[0][done % data[0].length];
  Atomics.store(counters[0], 1, done + 1);
  Atomics.notify(counters[0], 1);
  while (done - Atomics.load(counters[1], 1) >= data[1].length) Atomics.wait(counters[1], 1, done - data[1].length);
  data[1][done % data[1].length] = (value + 1) % 256;
  Atomics.store(counters[1], 0, done + 1);
  Atomics.notify(counters[1], 0);
}`;
  return new Worker(program, { eval: true, workerData: { input: input.memory, output: output.memory, total } });
}

describe('SharedRing', () => {
  it('passes messages of any size between threads, in order and complete', async () => {
    const random = createRandom(4);
    const [out, back] = [SharedRing.withCapacity(64), SharedRing.withCapacity(48)];
    const messages = Array.from({ length: 30 }, () =>
      Uint8Array.from({ length: random.integer(40) }, () => random.integer(256)),
    );
    const thread = startThread(
      out,
      back,
      messages.reduce((sum, { length }) => sum + length, 0),
    );
    for (const message of messages) {
      out.write(message);
      const echo = new Uint8Array(message.length);
      back.read(echo);
      expect(echo).toEqual(message.map((value) => (value + 1) % 256));
    }
    await new Promise((resolve) => thread.once('exit', resolve));
  });

  it('lets the main thread write more than fits, without blocking it', async () => {
    const ring = SharedRing.withCapacity(16);
    const bytes = Uint8Array.from({ length: 100 }, (_, index) => index);
    let isWritten = false;
    const written = ring.writeLater(bytes).then(() => {
      isWritten = true;
    });
    const found: number[] = [];
    for (let first = 0; first < 96; first += 8) {
      // The last 16 bytes fit.
      if (first < 80) expect(isWritten).toBe(false);
      const piece = new Uint8Array(8);
      ring.read(piece);
      found.push(...piece);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await written;
    const rest = new Uint8Array(4);
    ring.read(rest);
    expect([...found, ...rest]).toEqual([...bytes]);
  });

  it.each([16, 48, 100, 257])('loses nothing where its counters start again, with %i bytes', (capacity) => {
    const ring = SharedRing.withCapacity(capacity);
    // As after 4 GiB.
    new Int32Array(ring.memory, 0, 2).fill(Math.floor(2 ** 32 / capacity) * capacity - 30);
    const bytesFrom = (first: number, length: number) => Uint8Array.from({ length }, (_, index) => first + index);
    let sent = 0;
    for (let received = 0; received < 120; received += 5) {
      // The reader is behind, and takes other pieces than were written.
      for (; sent + 7 - received <= 16; sent += 7) ring.write(bytesFrom(sent, 7));
      const found = new Uint8Array(5);
      ring.read(found);
      expect(found).toEqual(bytesFrom(received, 5));
    }
  });
});

describe('messages', () => {
  it('arrive as they were sent', async () => {
    const ring = SharedRing.withCapacity(1 << 16);
    const sent = [new Uint8Array(), Uint8Array.of(1, 2, 3), new Uint8Array(3000).fill(7)];
    for (const [index, message] of sent.entries()) {
      await (index === 1 ? patientRingSender : ringSender)(ring).send(message);
    }
    const receiver = ringReceiver(ring);
    for (const message of sent) expect(await receiver.receive()).toEqual(message);
  });

  it('contain the clock, the learning rate and every bit of the micro-batches', () => {
    const values = Float32Array.of(1.1, -0, Number.NaN, 1e-45, 5, 6, 7, 8);
    const images = tf.tensor4d(values, [2, 2, 1, 2]);
    const targets = {
      labels: tf.tensor1d([3, 1], 'int32'),
      masks: tf.tensor2d([1, 0, 0, 1], [2, 2], 'bool'),
      unread: tf.tensor1d([0, 0]),
    };
    const sent = dataOf({ images, targets }, ['labels', 'masks', 'missing']);
    const clock = { step: 3, steps: 9, epoch: 1, epochs: 3, fraction: 1 / 3 };
    const message = decodeMessage(
      encodeMessage({ kind: 'step', clock, learningRate: 0.1, samples: [2, 3], batch: sent }),
    );
    if (message.kind !== 'step') throw new Error(message.kind);
    expect([message.clock, message.learningRate, message.samples]).toEqual([clock, 0.1, [2, 3]]);
    if (message.batch === undefined) throw new Error('no micro-batch');
    const batch = batchOf(message.batch);
    expect(new Uint32Array(batch.images.dataSync().slice().buffer)).toEqual(new Uint32Array(values.slice().buffer));
    expect(batch.images.shape).toEqual([2, 2, 1, 2]);
    expect(
      Object.entries(batch.targets).map(([name, t]) => [name, t?.dtype, t?.shape, [...(t?.dataSync() ?? [])]]),
    ).toEqual([
      ['labels', 'int32', [2], [3, 1]],
      ['masks', 'bool', [2, 2], [1, 0, 0, 1]],
    ]);
    batch.dispose();
    tf.dispose([images, ...Object.values(targets)]);
  });

  it.each([{ kind: 'gather' }, { kind: 'end' }] as const)('round trip: %j', (message) => {
    expect(decodeMessage(encodeMessage(message))).toEqual(message);
  });

  it('contain no micro-batch where a step ends in an earlier part', () => {
    const clock = { step: 3, steps: 9, epoch: 1, epochs: 3, fraction: 1 / 3 };
    const message = { kind: 'step', clock, learningRate: 0.1, samples: [] } as const;
    expect(decodeMessage(encodeMessage(message))).toEqual(message);
  });

  it('contain weights with the number of steps, and gradients', () => {
    const weights = new Map([['conv.weight', { dtype: 'F32', shape: [2], data: Float32Array.of(1.1, -0) } as const]]);
    expect(decodeWeights(encodeWeights({ step: 7, weights }))).toEqual({ step: 7, weights });
    const gradient = tf.tensor4d([1e-45, 2, 3, 4], [1, 2, 1, 2]);
    const received = decodeCotangent(encodeCotangent(gradient));
    expect([received.shape, received.dataSync()]).toEqual([gradient.shape, gradient.dataSync()]);
    tf.dispose([gradient, received]);
  });

  it('rejects targets that cannot be sent', () => {
    const images = tf.zeros<tf.Rank.R4>([1, 1, 1, 1]);
    const names = tf.tensor1d(['a']);
    expect(() => dataOf({ images, targets: { names } }, ['names'])).toThrow(/target of type string cannot be sent/);
    tf.dispose([images, names]);
  });
});
