import { createRandom } from '@localgrad/nn/random';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { samplings } from './options.js';
import { type BufferRules, bufferStateOf, ReplayBuffer } from './replay-buffer.js';

const rulesOf = (rules: Partial<BufferRules> = {}): BufferRules => {
  return { bufferSize: 3, sampling: 'priorityLifo', maxReuse: Number.POSITIVE_INFINITY, ...rules };
};

/** A buffer that stores letters. */
class Letters {
  readonly #buffer: ReplayBuffer;
  readonly #slots: string[] = [];

  constructor(rules: Partial<BufferRules>) {
    this.#buffer = new ReplayBuffer(rulesOf(rules));
  }

  write(letters: string): this {
    for (const letter of letters) this.#slots[this.#buffer.write()] = letter;
    return this;
  }

  read(times: number): string {
    const letters = Array.from({ length: times }, (_, time) => {
      const slot = this.#buffer.read(() => createRandom(1, String(time)));
      return slot === undefined ? '-' : this.#slots[slot];
    });
    return letters.join('');
  }
}

describe('ReplayBuffer', () => {
  it('reads the trace D, C, B, D after A, B, C, D are written to three slots', () => {
    expect(new Letters({}).write('ABCD').read(4)).toBe('DCBD');
  });

  it('reads the trace B, D, C, B of the published code with sampling publishedLifo', () => {
    expect(new Letters({ sampling: 'publishedLifo' }).write('ABCD').read(4)).toBe('BDCB');
  });

  it('agrees with the published code as long as the buffer is not full', () => {
    expect(new Letters({ sampling: 'publishedLifo' }).write('AB').read(4)).toBe('BABA');
    expect(new Letters({}).write('AB').read(4)).toBe('BABA');
  });

  it('repeats the newest batch with sampling lifo, until it may not be read again', () => {
    expect(new Letters({ sampling: 'lifo' }).write('ABCD').read(3)).toBe('DDD');
    expect(new Letters({ sampling: 'lifo', maxReuse: 1 }).write('ABCD').read(7)).toBe('DDCCBB-');
  });

  it('returns nothing when every batch has been read maxReuse + 1 times', () => {
    expect(new Letters({ maxReuse: 0 }).write('ABCD').read(5)).toBe('DCB--');
    expect(new Letters({ maxReuse: 0, bufferSize: 1 }).write('A').read(2)).toBe('A-');
  });

  it('reads every stored batch with sampling random', () => {
    expect([...new Set(new Letters({ sampling: 'random' }).write('ABCD').read(40))].sort()).toEqual(['B', 'C', 'D']);
  });

  const operations = fc.array(fc.boolean(), { maxLength: 60 });
  const anyRules = fc.record({
    bufferSize: fc.integer({ min: 1, max: 6 }),
    sampling: fc.constantFrom(...samplings),
    maxReuse: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constant(Number.POSITIVE_INFINITY)),
  });

  it('reads filled slots only, none more often than maxReuse allows, and some whenever one may be read', () => {
    fc.assert(
      fc.property(anyRules, operations, (rules, steps) => {
        const buffer = new ReplayBuffer(rules);
        const reads = new Map<number, number>();
        steps.forEach((isWrite, time) => {
          if (isWrite) {
            const slot = buffer.write();
            expect(slot).toBe(steps.slice(0, time).filter(Boolean).length % rules.bufferSize);
            reads.set(slot, 0);
            return;
          }
          const slot = buffer.read(() => createRandom(1, String(time)));
          const canRead = [...reads.values()].some((count) => count <= rules.maxReuse);
          expect(slot !== undefined).toBe(canRead);
          if (slot === undefined) return;
          expect(reads.has(slot)).toBe(true);
          reads.set(slot, (reads.get(slot) ?? 0) + 1);
          expect(reads.get(slot)).toBeLessThanOrEqual(rules.maxReuse + 1);
        });
      }),
    );
  });

  it('reads each batch equally often, up to one, with sampling priorityLifo and no writes between', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.nat(20), fc.nat(40), (bufferSize, writes, reads) => {
        const buffer = new ReplayBuffer(rulesOf({ bufferSize }));
        for (let count = 0; count <= writes; count++) buffer.write();
        for (let count = 0; count < reads; count++) buffer.read(() => createRandom(1));
        const counts = buffer.state().reads;
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('continues from its state as if it had not been interrupted', () => {
    fc.assert(
      fc.property(anyRules, operations, fc.nat(60), (rules, steps, at) => {
        const run = (buffer: ReplayBuffer, part: readonly boolean[], from: number) =>
          part.map((isWrite, index) =>
            isWrite ? buffer.write() : buffer.read(() => createRandom(1, String(from + index))),
          );
        const straight = run(new ReplayBuffer(rules), steps, 0);
        const first = new ReplayBuffer(rules);
        const before = run(first, steps.slice(0, at), 0);
        const state = bufferStateOf(JSON.parse(JSON.stringify(first.state())), rules);
        const after = run(new ReplayBuffer(rules, state), steps.slice(at), at);
        expect([...before, ...after]).toEqual(straight);
      }),
    );
  });
});
