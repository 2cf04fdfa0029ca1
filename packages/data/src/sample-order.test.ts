import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSampleOrder, type SampleOrderOptions } from './sample-order.js';

const orderOf = (labels: readonly number[], batchSize: number, options: SampleOrderOptions, epoch = 0) => [
  ...createSampleOrder('test', { size: labels.length, labels }, batchSize, options)(epoch),
];

const settings = fc.record({
  labels: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 60 }),
  batchSize: fc.integer({ min: 1, max: 20 }),
  classes: fc.integer({ min: 1, max: 7 }),
  seed: fc.integer({ min: 0, max: 1000 }),
  epoch: fc.integer({ min: 0, max: 3 }),
});

/** The paper's sampler, word for word: it removes from a list. */
function literal(shuffled: readonly number[], labels: readonly number[], batchSize: number, classes: number): number[] {
  let left = [...shuffled];
  const result: number[] = [];
  while (left.length > 0) {
    const batch = left.slice(0, classes);
    left = left.slice(classes);
    const found = new Set(batch.map((index) => labels[index]));
    const same = left.filter((index) => found.has(labels[index])).slice(0, batchSize - batch.length);
    batch.push(...same);
    left = left.filter((index) => !same.includes(index));
    const others = left.slice(0, batchSize - batch.length);
    result.push(...batch, ...others);
    left = left.slice(others.length);
  }
  return result;
}

describe('the order of samples', () => {
  it('has batches of few classes, like the sampler of predsim', () => {
    fc.assert(
      fc.property(settings, ({ labels, batchSize, classes, seed, epoch }) => {
        const classesPerBatch = Math.min(classes, batchSize, new Set(labels).size);
        const plain = orderOf(labels, batchSize, { shuffle: true, seed }, epoch);
        const order = orderOf(labels, batchSize, { shuffle: true, seed, classesPerBatch }, epoch);
        expect(order).toEqual(literal(plain, labels, batchSize, classesPerBatch));
        expect([...order].sort((a, b) => a - b)).toEqual(labels.map((_, index) => index));
      }),
    );
  });

  it('limits the classes of all but the last batches', () => {
    const labels = Array.from({ length: 4000 }, (_, index) => index % 100);
    const order = orderOf(labels, 128, { shuffle: true, seed: 1, classesPerBatch: 20 });
    const classesOf = (batch: number) =>
      new Set(order.slice(128 * batch, 128 * batch + 128).map((i) => labels[i])).size;
    for (const batch of [0, 1, 2, 3]) expect(classesOf(batch)).toBeLessThanOrEqual(20);
    const plain = orderOf(labels, 128, { shuffle: true, seed: 1 });
    expect(new Set(plain.slice(0, 128).map((index) => labels[index])).size).toBeGreaterThan(50);
  });

  it('is that of shuffled samples after classesPerBatchEpochs', () => {
    const labels = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2];
    const plain = { shuffle: true, seed: 3 } as const;
    const grouped = { ...plain, classesPerBatch: 1, classesPerBatchEpochs: 2 } as const;
    const isPlain = [0, 1, 2, 3].map(
      (epoch) => `${orderOf(labels, 4, grouped, epoch)}` === `${orderOf(labels, 4, plain, epoch)}`,
    );
    expect(isPlain).toEqual([false, false, true, true]);
    expect(orderOf(labels, 4, {})).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it('refuses what has no effect or no sense', () => {
    const attempt = (options: SampleOrderOptions, labels = [0, 1, 0, 1]) => orderOf(labels, 3, options);
    const allowed = 'integers from 1 to 2, the smaller of batch size and number of classes';
    for (const classesPerBatch of [0, 3, 1.5, Number.NaN]) {
      expect(() => attempt({ shuffle: true, classesPerBatch })).toThrow(allowed);
    }
    expect(() => attempt({ classesPerBatch: 1 })).toThrow('undefined without shuffle');
    expect(() => createSampleOrder('test', { size: 4, labels: [] }, 3, { shuffle: true, classesPerBatch: 1 })).toThrow(
      'undefined without labels',
    );
    expect(() => attempt({ shuffle: true, classesPerBatchEpochs: 1 })).toThrow('with classesPerBatch');
    expect(() => attempt({ shuffle: true, classesPerBatch: 1, classesPerBatchEpochs: 0 })).toThrow('integers ≥ 1');
  });
});
