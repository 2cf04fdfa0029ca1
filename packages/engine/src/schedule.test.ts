import type { Span } from '@localgrad/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileSchedule, type Instruction, type MemoryPolicy } from './schedule.js';

const network = fc.integer({ min: 1, max: 7 }).chain((modules) =>
  fc.record({
    modules: fc.constant(modules),
    spans: fc.array(
      fc
        .tuple(fc.integer({ min: 0, max: modules - 1 }), fc.integer({ min: 0, max: modules - 1 }))
        .map(([a, b]): Span => (a <= b ? [a, b] : [b, a])),
      { minLength: 1, maxLength: 8 },
    ),
    memory: fc.constantFrom<MemoryPolicy>('residuals', 'recompute'),
  }),
);

/** Runs a schedule on sets of objectives instead of tensors; fails where it reads what is not there. */
function interpret(schedule: readonly Instruction[], spans: readonly Span[]) {
  const outputs = new Set<number>();
  const passes = new Set<number>();
  const slots = new Map<string, Set<number>>();
  const trainedBy = new Map<number, number[]>();
  const counts = { forward: 0, send: 0, finish: 0 };
  const has = (collection: { has(key: never): boolean }, key: unknown, what: string) => {
    if (!collection.has(key as never)) throw new Error(`${what} ${String(key)} is not there`);
  };
  const arrive = (key: string, values: Iterable<number>) => {
    slots.set(key, new Set([...(slots.get(key) ?? []), ...values]));
  };
  let most = 0;
  for (const instruction of schedule) {
    const { module } = instruction;
    const needsInput = instruction.op !== 'free' && instruction.op !== 'evaluate' && instruction.op !== 'drop';
    if (needsInput && module > 0) has(outputs, module - 1, 'output');
    switch (instruction.op) {
      case 'forward':
        counts.forward++;
        if (instruction.keep) passes.add(module);
        if (!instruction.repeat) outputs.add(module);
        break;
      case 'evaluate':
        has(outputs, module, 'output');
        spans.forEach(([from, to], index) => {
          if (to === module) arrive(`${module}/${from}`, [index]);
        });
        break;
      case 'send': {
        counts.send++;
        has(passes, module, 'pass');
        has(slots, `${module}/${instruction.from}`, 'slot');
        arrive(`${module - 1}/${instruction.from}`, slots.get(`${module}/${instruction.from}`) ?? []);
        break;
      }
      case 'finish': {
        counts.finish++;
        has(passes, module, 'pass');
        const keys = [...slots.keys()].filter((key) => key.startsWith(`${module}/`));
        const arrived = keys.flatMap((key) => [...(slots.get(key) ?? [])]);
        expect(trainedBy.has(module)).toBe(false);
        trainedBy.set(
          module,
          arrived.sort((a, b) => a - b),
        );
        if (instruction.sendTo !== undefined) arrive(`${module - 1}/${instruction.sendTo}`, arrived);
        for (const key of keys) slots.delete(key);
        passes.delete(module);
        break;
      }
      case 'drop':
        passes.delete(module);
        break;
      case 'free':
        has(outputs, module, 'output');
        outputs.delete(module);
    }
    most = Math.max(most, passes.size);
  }
  return { outputs, passes, slots, trainedBy, counts, most };
}

describe('compileSchedule', () => {
  it('brings to every module exactly the losses whose spans cover it, and leaves nothing alive', () => {
    fc.assert(
      fc.property(network, ({ modules, spans, memory }) => {
        const result = interpret(compileSchedule(spans, modules, memory), spans);
        for (let module = 0; module < modules; module++) {
          const covering = spans.flatMap(([from, to], index) => (from <= module && module <= to ? [index] : []));
          expect(result.trainedBy.get(module) ?? []).toEqual(covering);
        }
        expect(result.outputs.size).toBe(0);
        expect(result.passes.size).toBe(0);
        expect(result.slots.size).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('runs each forward once, one weight-VJP per trained module, and one VJP per distinct start that passes', () => {
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

  it('keeps only as many modules open as the widest window', () => {
    const windows = (modules: number, width: number) =>
      Array.from({ length: modules }, (_, to): Span => [Math.max(0, to - width + 1), to]);
    for (const width of [1, 2, 3, 4]) {
      expect(interpret(compileSchedule(windows(9, width), 9), windows(9, width)).most).toBe(width);
      expect(interpret(compileSchedule(windows(9, width), 9, 'recompute'), windows(9, width)).most).toBe(1);
    }
  });

  it('needs the 4 units of work of methods.md §7.2 for windows of two', () => {
    const spans: Span[] = [0, 1, 2, 3].flatMap((to): Span[] => [
      [to, to],
      [Math.max(0, to - 1), to],
    ]);
    const schedule = compileSchedule(spans, 4);
    const interior = schedule.filter(({ module, op }) => module === 2 && op !== 'free' && op !== 'evaluate');
    expect(interior.map(({ op }) => op)).toEqual(['forward', 'send', 'finish']);
  });

  it('is plain backpropagation for one span over everything', () => {
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
