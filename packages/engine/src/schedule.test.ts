import type { Span, Want } from '@localgrad/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileSchedule, type Instruction, type MemoryPolicy, trainedStart } from './schedule.js';
import { type HeadInputs, type ScheduleDomain, walkSchedule } from './walk.js';

const network = fc.integer({ min: 1, max: 7 }).chain((modules) =>
  fc.record({
    modules: fc.constant(modules),
    spans: fc.array(
      fc
        .tuple(fc.integer({ min: 0, max: modules - 1 }), fc.integer({ min: 0, max: modules - 1 }))
        .map(([a, b]): Span => (a <= b ? [a, b] : [b, a])),
      { minLength: 1, maxLength: 8 },
    ),
    memory: fc.constantFrom<MemoryPolicy>('residuals', 'recompute', { recompute: [0, 2] }, { recompute: [1] }),
  }),
);

interface Alive {
  readonly kind: 'output' | 'cotangent';
  /** Indices of the spans whose losses it contains. */
  readonly losses: readonly number[];
}

/** Interprets the schedule over sets of losses instead of tensors. */
class SetDomain implements ScheduleDomain<Alive, object> {
  readonly images: Alive = { kind: 'output', losses: [] };
  readonly alive = new Set<object>();
  readonly trainedBy = new Map<number, readonly number[]>();
  /** Losses whose gradient was learned on each module. */
  readonly lessons = new Map<number, readonly number[]>();
  readonly counts = { forward: 0, send: 0, finish: 0 };
  passes = 0;
  most = 0;

  constructor(
    readonly spans: readonly Span[],
    readonly frozen: ReadonlySet<number>,
  ) {}

  forward() {
    this.counts.forward++;
    this.most = Math.max(this.most, ++this.passes);
    return { output: this.#create('output', []), pass: this.#add({}) };
  }

  passThrough() {
    this.counts.forward++;
    return this.#create('output', []);
  }

  evaluate(module: number, { output, input }: HeadInputs<Alive>, arrive: (from: number, cotangent: Alive) => void) {
    expect(this.alive.has(output)).toBe(true);
    if (input !== undefined && module > 0) expect(this.alive.has(input)).toBe(true);
    this.spans.forEach((span, index) => {
      const start = trainedStart(span, this.frozen);
      if (span[1] === module && start !== undefined) arrive(start, this.#create('cotangent', [index]));
    });
  }

  teach(module: number, output: Alive, gradient: Alive) {
    expect(this.alive.has(output)).toBe(true);
    this.lessons.set(module, gradient.losses);
    this.#remove(gradient);
  }

  vjp(module: number, pass: object, cotangent: Alive, want: Want, keep: boolean) {
    expect(this.alive.has(pass)).toBe(true);
    expect(this.alive.has(cotangent)).toBe(true);
    if (!keep) this.#remove(cotangent);
    if (want.parameters) {
      expect(this.trainedBy.has(module)).toBe(false);
      this.trainedBy.set(module, cotangent.losses);
    }
    if (want.release) this.counts.finish++;
    else this.counts.send++;
    return want.input ? this.#create('cotangent', cotangent.losses) : undefined;
  }

  add(sum: Alive, cotangent: Alive) {
    this.#remove(sum);
    this.#remove(cotangent);
    return this.#create(
      'cotangent',
      [...new Set([...sum.losses, ...cotangent.losses])].sort((a, b) => a - b),
    );
  }

  release(_: number, pass: object) {
    this.passes--;
    this.#remove(pass);
  }

  free(value: Alive) {
    this.#remove(value);
  }

  #create(kind: Alive['kind'], losses: readonly number[]): Alive {
    return this.#add({ kind, losses });
  }

  #add<T extends object>(value: T): T {
    this.alive.add(value);
    return value;
  }

  #remove(value: object): void {
    expect(this.alive.delete(value)).toBe(true);
  }
}

function interpret(schedule: readonly Instruction[], spans: readonly Span[], frozen: ReadonlySet<number> = new Set()) {
  const domain = new SetDomain(spans, frozen);
  walkSchedule(schedule, domain);
  return domain;
}

describe('compileSchedule', () => {
  it('delivers to every trained module exactly the losses whose spans cover it, and frees all values', () => {
    fc.assert(
      fc.property(network, fc.array(fc.nat(6)), ({ modules, spans, memory }, chosen) => {
        const frozen = new Set(chosen);
        const result = interpret(compileSchedule(spans, modules, memory, frozen), spans, frozen);
        for (let module = 0; module < modules; module++) {
          const covering = spans.flatMap(([from, to], index) => (from <= module && module <= to ? [index] : []));
          expect(result.trainedBy.get(module) ?? []).toEqual(frozen.has(module) ? [] : covering);
        }
        expect(result.alive.size).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('computes no cotangents and stores no residuals below the lowest trained module', () => {
    fc.assert(
      fc.property(network, ({ modules, spans }) => {
        for (let below = 0; below <= modules; below++) {
          const frozen = new Set(Array.from({ length: below }, (_, module) => module));
          const schedule = compileSchedule(spans, modules, 'residuals', frozen);
          const lower = schedule.filter(({ module, op }) => module < below && op !== 'evaluate' && op !== 'free');
          for (const instruction of lower) {
            expect(instruction).toMatchObject({ op: 'forward', keep: false, repeat: false });
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('propagates a cotangent through a frozen module with one input-VJP', () => {
    const ops = compileSchedule([[0, 2]], 3, 'residuals', new Set([1])).filter(({ op }) => op !== 'free');
    expect(ops.slice(4)).toEqual([
      { op: 'finish', module: 2, weights: true, sendTo: 0 },
      { op: 'finish', module: 1, weights: false, sendTo: 0 },
      { op: 'finish', module: 0, weights: true },
    ]);
  });

  it('runs one forward pass per module, one weight-VJP per trained module, and one VJP per distinct span start that passes through', () => {
    fc.assert(
      fc.property(network, ({ modules, spans }) => {
        const { counts } = interpret(compileSchedule(spans, modules), spans);
        const starts = (module: number) =>
          new Set(spans.filter(([from, to]) => from <= module && module <= to).map(([from]) => from));
        const trained = Array.from({ length: modules }, (_, module) => starts(module)).filter((set) => set.size > 0);
        expect(counts.forward).toBe(1 + Math.max(...spans.map(([, to]) => to)));
        expect(counts.finish).toBe(trained.length);
        const passing = Array.from(
          { length: modules },
          (_, module) => [...starts(module)].filter((from) => from < module).length,
        );
        const combined = passing.filter((count, module) => count === 1 && starts(module).size === 1).length;
        expect(counts.send).toBe(passing.reduce((sum, count) => sum + count, 0) - combined);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps at most as many modules open as the widest window covers', () => {
    const windows = (modules: number, width: number) =>
      Array.from({ length: modules }, (_, to): Span => [Math.max(0, to - width + 1), to]);
    for (const width of [1, 2, 3, 4]) {
      expect(interpret(compileSchedule(windows(9, width), 9), windows(9, width)).most).toBe(width);
      expect(interpret(compileSchedule(windows(9, width), 9, 'recompute'), windows(9, width)).most).toBe(1);
    }
  });

  it('needs the 4 units of work of docs/methods/engine.md §5 for windows of two', () => {
    const spans: Span[] = [0, 1, 2, 3].flatMap((to): Span[] => [
      [to, to],
      [Math.max(0, to - 1), to],
    ]);
    const schedule = compileSchedule(spans, 4);
    const interior = schedule.filter(({ module, op }) => module === 2 && op !== 'free' && op !== 'evaluate');
    expect(interior.map(({ op }) => op)).toEqual(['forward', 'send', 'finish']);
  });

  it('frees each output directly after the last instruction that reads it, and each exactly once', () => {
    fc.assert(
      fc.property(network, fc.array(fc.nat(6)), ({ modules, spans, memory }, chosen) => {
        const readers = new Set(chosen.slice(1));
        const schedule = compileSchedule(spans, modules, memory, new Set(chosen), { inputReaders: readers });
        const lastReads = new Map<number, number>();
        const recomputed = new Set<number>();
        schedule.forEach(({ op, module, ...rest }, position) => {
          if (op === 'free') return;
          const repeats = op === 'forward' && 'repeat' in rest && rest.repeat;
          if (repeats) recomputed.add(module);
          // Every instruction reads its module's input, the output of the module before; `evaluate` for some heads only.
          if ((op !== 'evaluate' || readers.has(module)) && module > 0) lastReads.set(module - 1, position);
          // A recomputed pass has an output of its own.
          if (!recomputed.has(module)) lastReads.set(module, position);
        });
        const freed = schedule.flatMap(({ op, module }, position) => (op === 'free' ? [{ module, position }] : []));
        expect(freed.map(({ module }) => module).sort()).toEqual([...lastReads.keys()].sort());
        for (const { module, position } of freed) {
          const before = schedule.findLastIndex(({ op }, index) => index < position && op !== 'free');
          expect(lastReads.get(module)).toBe(before);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('lets heads before a module learn from all losses that train it, after the last of them', () => {
    fc.assert(
      fc.property(network, fc.array(fc.nat(6)), ({ modules, spans, memory }, chosen) => {
        const isAllowed = (module: number) =>
          spans.every(([from, to]) => to <= module || from > module) && spans.some(([from]) => from === module + 1);
        const taught = new Set(chosen.filter((module) => module < modules - 1 && isAllowed(module)));
        const result = interpret(compileSchedule(spans, modules, memory, new Set(), { taught }), spans);
        const covering = (module: number) =>
          spans.flatMap(([from, to], index) => (from <= module && module <= to ? [index] : []));
        expect([...result.lessons.keys()].sort()).toEqual([...taught].sort());
        for (const [module, losses] of result.lessons) expect(losses).toEqual(covering(module + 1));
        for (let module = 0; module < modules; module++)
          expect(result.trainedBy.get(module) ?? []).toEqual(covering(module));
        expect(result.alive.size).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('depends on the set of spans, not on their order', () => {
    fc.assert(
      fc.property(network, fc.array(fc.nat(6)), ({ modules, spans, memory }, chosen) => {
        const frozen = new Set(chosen);
        const sorted = [...spans].sort(([a, b], [c, d]) => a - c || b - d);
        const schedule = compileSchedule(sorted, modules, memory, frozen);
        expect(compileSchedule(spans, modules, memory, frozen)).toEqual(schedule);
        expect(compileSchedule([...sorted].reverse(), modules, memory, frozen)).toEqual(schedule);
        expect(compileSchedule([...sorted, ...spans], modules, memory, frozen)).toEqual(schedule);
      }),
      { numRuns: 300 },
    );
  });

  it('is plain backpropagation for one span over all modules', () => {
    const ops = compileSchedule([[0, 2]], 3).filter(({ op }) => op !== 'free');
    expect(ops.map(({ op, module }) => `${op} ${module}`)).toEqual([
      'forward 0',
      'forward 1',
      'forward 2',
      'evaluate 2',
      'finish 2',
      'finish 1',
      'finish 0',
    ]);
  });
});
