import type { Span } from '@localgrad/core';
import { describe, expect, it } from 'vitest';
import { receivesOneLoss } from './only-means.js';
import { compileSchedule, type MemoryPolicy } from './schedule.js';

/** For each module, whether only one loss reaches it, whose gradient stops there. */
function oneLoss(spans: readonly Span[], memory: MemoryPolicy = 'residuals', frozen: number[] = []): boolean[] {
  const schedule = compileSchedule(spans, 4, memory, new Set(frozen));
  return [0, 1, 2, 3].map((module) => {
    const starts = spans.flatMap(([from, to]) => {
      const start = Array.from({ length: to - from + 1 }, (_, index) => from + index).find(
        (at) => !frozen.includes(at),
      );
      return to === module ? [start] : [];
    });
    return receivesOneLoss(schedule, module, starts);
  });
}

const separate: Span[] = [
  [0, 0],
  [1, 1],
  [2, 2],
  [3, 3],
];

describe('receivesOneLoss', () => {
  it.each(['residuals', 'recompute'] as const)('holds for modules that are trained alone, with %s', (memory) => {
    expect(oneLoss(separate, memory)).toEqual([true, true, true, true]);
  });

  it('does not hold where a loss is sent on, nor where one arrives from later modules', () => {
    expect(oneLoss([[0, 3]])).toEqual([false, false, false, false]);
    expect(oneLoss([...separate, [1, 2]])).toEqual([true, false, false, true]);
    expect(oneLoss([...separate, [0, 3]])).toEqual([false, false, false, false]);
  });

  it('does not hold for two losses on a module, nor for frozen modules', () => {
    expect(oneLoss([...separate, [1, 1]])).toEqual([true, false, true, true]);
    expect(oneLoss(separate, 'residuals', [2])).toEqual([true, true, false, true]);
  });

  it('does not hold where the schedule ends before later losses, or a part of the plan receives a gradient', () => {
    const schedule = compileSchedule(separate, 4, 'residuals');
    const end = schedule.findIndex(({ op }) => op === 'finish');
    expect(receivesOneLoss(schedule.slice(0, end), 0, [0])).toBe(false);
    expect(receivesOneLoss([{ op: 'receive', module: 0, from: 0 }, ...schedule], 0, [0])).toBe(false);
  });
});
