import { describe, expect, it } from 'vitest';
import { parseAsynchronous, timingOf } from './index.js';

describe('parseAsynchronous', () => {
  it.each([
    ['none', undefined],
    ['', {}],
    ['buffer: 2', { bufferSize: 2 }],
    [
      'buffer: 5, sampling: lifo, reuse: 3, order: random, slow: 3@2',
      { bufferSize: 5, sampling: 'lifo', maxReuse: 3, order: 'random', slow: [{ module: 3, pace: 2 }] },
    ],
    [
      'slow: [0@1.5, 2@4]',
      {
        slow: [
          { module: 0, pace: 1.5 },
          { module: 2, pace: 4 },
        ],
      },
    ],
  ])('parses %j', (text, expected) => {
    expect(parseAsynchronous(text)).toEqual(expected);
  });

  it.each([
    ['buffer: 0', "buffer: '0'; allowed: integers ≥ 1."],
    ['sampling: fifo', "sampling: 'fifo'; allowed: priorityLifo, lifo, random, publishedLifo."],
    ['order: shuffled', "order: 'shuffled'; allowed: sequential, random."],
    ['slow: 3', "slow: '3'; allowed: a module and its pace ≥ 1, e.g. 3@2, or a list of them."],
    ['slow: 3@0.5', "slow: '3@0.5'; allowed: a module and its pace ≥ 1"],
    ['slow: [(module: 3)]', 'slow: {"module":3}; allowed: a module and its pace ≥ 1'],
    ['slow: [1@2, 1@3]', "option 'slow' has two paces for module 1"],
    ['size: 2', "unknown 'size'; allowed: none, or options of buffer, sampling, reuse, order, slow"],
    ['fast', "unknown 'fast'"],
    ['buffer: 2 order: random', "expected ',' or ')', found 'order'"],
  ])('rejects %j', (text, message) => {
    expect(() => parseAsynchronous(text)).toThrow(message);
  });
});

describe('timingOf', () => {
  it('reports one update per batch, on the newest, with equal paces', () => {
    for (const { updatesPerBatch, meanAge, repeated } of timingOf({ modules: 3 })) {
      expect([updatesPerBatch, meanAge, repeated]).toEqual([1, 0, 0]);
    }
  });

  it('reports the updates of a slow module, and that the next one repeats batches', () => {
    const timing = timingOf({ modules: 3, slow: [{ module: 1, pace: 2 }] });
    expect(timing.map(({ updatesPerBatch }) => updatesPerBatch)).toEqual([1, 0.5, 1]);
    expect(timing[2]).toMatchObject({ meanAge: 0.5, repeated: 0.5 });
  });

  it('reports older batches for larger buffers in a random order', () => {
    const age = (bufferSize: number) =>
      timingOf({ modules: 4, order: 'random', bufferSize }, 2000).reduce((sum, { meanAge }) => sum + meanAge, 0);
    expect(age(5)).toBeGreaterThan(age(2));
    expect(age(2)).toBeGreaterThan(age(1));
  });
});
