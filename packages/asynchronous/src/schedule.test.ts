import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { orders, samplings } from './options.js';
import { AsynchronousSchedule, type ScheduleOptions, type Turn } from './schedule.js';

const run = (schedule: AsynchronousSchedule, rounds: number): Turn[][] =>
  Array.from({ length: rounds }, () => [...schedule.round()]);
const turnsOf = (options: ScheduleOptions, rounds: number) => run(new AsynchronousSchedule(options), rounds);

const anyOptions = fc.integer({ min: 1, max: 5 }).chain((modules) =>
  fc.record({
    modules: fc.constant(modules),
    seed: fc.nat(1000),
    bufferSize: fc.integer({ min: 1, max: 4 }),
    sampling: fc.constantFrom(...samplings),
    maxReuse: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constant(Number.POSITIVE_INFINITY)),
    order: fc.constantFrom(...orders),
    slow: fc.uniqueArray(fc.record({ module: fc.nat(modules - 1), pace: fc.constantFrom(1, 1.5, 2, 3.7) }), {
      selector: ({ module }) => module,
      maxLength: modules,
    }),
  }),
);

describe('AsynchronousSchedule', () => {
  it('trains every module on the same batch, in order, with equal paces', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 5 }), (modules, bufferSize) => {
        turnsOf({ modules, bufferSize }, 7).forEach((turns, round) => {
          expect(turns.map(({ module }) => module)).toEqual([...Array(modules).keys()]);
          for (const { batch, repetition } of turns) expect([batch, repetition]).toEqual([round, 0]);
        });
      }),
    );
  });

  it('trains a slow module in every second round on the newest batch, and the module after it on its newest output', () => {
    const rounds = turnsOf({ modules: 3, slow: [{ module: 1, pace: 2 }] }, 5);
    const text = rounds.map((turns) => turns.map(({ module, batch }) => `${module}:${batch}`).join(' '));
    expect(text).toEqual(['0:0 1:0 2:0', '0:1 2:0', '0:2 1:2 2:2', '0:3 2:2', '0:4 1:4 2:4']);
  });

  it('lets the other modules train twice per batch when the first is slow by half', () => {
    const rounds = turnsOf({ modules: 2, slow: [{ module: 0, pace: 2 }] }, 3);
    expect(rounds.map((turns) => turns.map(({ module }) => module))).toEqual([
      [0, 1, 1],
      [0, 1, 1],
      [0, 1, 1],
    ]);
  });

  it('skips turns without a batch that may be read', () => {
    const rounds = turnsOf({ modules: 2, maxReuse: 0, slow: [{ module: 0, pace: 3 }] }, 2);
    expect(rounds.map((turns) => turns.map(({ module }) => module))).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  it('begins a random order with two turns for each module, from the first to the last', () => {
    const turns = turnsOf({ modules: 3, order: 'random', bufferSize: 2 }, 2).flat();
    expect(turns.slice(0, 6).map(({ module }) => module)).toEqual([0, 0, 1, 1, 2, 2]);
  });

  it('draws modules in a random order with probabilities inverse to their paces', () => {
    const turns = turnsOf({ modules: 4, order: 'random', seed: 5, slow: [{ module: 2, pace: 2 }] }, 4000).flat();
    const share = (module: number) => turns.filter((turn) => turn.module === module).length / turns.length;
    for (const module of [0, 1, 3]) expect(share(module)).toBeCloseTo(2 / 7, 1.7);
    expect(share(2)).toBeCloseTo(1 / 7, 1.7);
  });

  it('differs between seeds in a random order only', () => {
    const of = (seed: number, order: 'random' | 'sequential') => turnsOf({ modules: 4, seed, order }, 30);
    expect(of(1, 'random')).toEqual(of(1, 'random'));
    expect(of(1, 'random')).not.toEqual(of(2, 'random'));
    expect(of(1, 'sequential')).toEqual(of(2, 'sequential'));
  });

  it('reads what the module before has written last into the slot, and trains on batches of the past only', () => {
    fc.assert(
      fc.property(anyOptions, (options) => {
        const written = new Map<string, number>();
        const reads = new Map<string, number>();
        turnsOf(options, 12).forEach((turns, round) => {
          const taken = new Map<number, number>();
          expect(turns[0]).toMatchObject({ module: 0, batch: round });
          expect(turns.filter(({ module }) => module === 0)).toHaveLength(1);
          for (const { module, read, write, batch, repetition } of turns) {
            expect(repetition).toBe(taken.get(module) ?? 0);
            taken.set(module, repetition + 1);
            if (module > 0) {
              const place = `${module - 1}/${read}`;
              expect(batch).toBe(written.get(place));
              expect(batch).toBeLessThanOrEqual(round);
              reads.set(place, (reads.get(place) ?? 0) + 1);
              expect(reads.get(place)).toBeLessThanOrEqual(options.maxReuse + 1);
            }
            expect(write === undefined).toBe(module === options.modules - 1);
            if (write === undefined) continue;
            expect(write).toBeLessThan(options.bufferSize);
            written.set(`${module}/${write}`, batch);
            reads.set(`${module}/${write}`, 0);
          }
        });
      }),
    );
  });

  it('continues from its state as if it had not been interrupted', () => {
    fc.assert(
      fc.property(anyOptions, fc.nat(20), (options, interruption) => {
        const straight = turnsOf(options, 21);
        const first = new AsynchronousSchedule(options);
        const before = run(first, interruption);
        const second = new AsynchronousSchedule(options);
        second.restore(JSON.parse(JSON.stringify(first.state())));
        expect([...before, ...run(second, 21 - interruption)]).toEqual(straight);
      }),
    );
  });

  it('rejects the state of another number of modules or slots, and keeps its own', () => {
    const other = new AsynchronousSchedule({ modules: 3, bufferSize: 2 });
    run(other, 3);
    for (const options of [
      { modules: 4, bufferSize: 2 },
      { modules: 3, bufferSize: 3 },
    ]) {
      const schedule = new AsynchronousSchedule(options);
      const before = schedule.state();
      expect(() => schedule.restore(other.state())).toThrow('does not contain the state of asynchronous training');
      expect(schedule.state()).toEqual(before);
    }
  });
});
