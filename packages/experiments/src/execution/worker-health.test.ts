import { LocalgradError } from '@localgrad/core';
import { describe, expect, it } from 'vitest';
import { WorkerHealth } from './worker-health.js';

const suspicion = (runId: string, fault: 'machine' | 'unknown' = 'unknown') => ({
  runId,
  folder: `runs/${runId}`,
  message: 'no luck',
  fault,
});
const bug = new TypeError('x is not a function');

describe('WorkerHealth', () => {
  it('attributes an unknown error to the run once the worker has completed a step', () => {
    const health = new WorkerHealth();
    expect(health.judge(bug, false)).toBe('unknown');
    expect(health.judge(bug, true)).toBe('run');
    health.prove();
    expect(health.judge(bug, false)).toBe('run');
    expect(health.judge(new LocalgradError('backend-lost', 'gone'), true)).toBe('machine');
    expect(health.judge(new LocalgradError('invalid-plan', 'gap'), false)).toBe('run');
  });

  it('is broken when three different runs fail in a row, and returns all of them', () => {
    const health = new WorkerHealth();
    for (const runId of ['a', 'b']) expect(health.suspect(suspicion(runId), 2)).toEqual([]);
    expect(health.isBroken).toBe(false);
    expect(health.suspect(suspicion('c'), 0)).toEqual([]);
    expect(health.isBroken).toBe(true);
  });

  it('counts suspicions against their runs after a step, and counts anew after a run that ended', () => {
    const health = new WorkerHealth();
    health.suspect(suspicion('a'), 2);
    health.suspect(suspicion('b'), 2);
    health.suspect(suspicion('b', 'machine'), 2);
    expect(health.prove().map(({ runId }) => runId)).toEqual(['a', 'b']);
    expect(health.prove()).toEqual([]);
    health.endStreak();
    health.suspect(suspicion('c', 'machine'), 2);
    health.suspect(suspicion('d', 'machine'), 2);
    expect(health.isBroken).toBe(false);
    // A step alone does not help: the disk may be full at every first checkpoint.
    health.prove();
    health.suspect(suspicion('e', 'machine'), 2);
    expect(health.isBroken).toBe(true);
  });

  it('counts them against a run that fails as often as it may while too few others do', () => {
    const health = new WorkerHealth();
    expect(health.suspect(suspicion('a'), 1)).toEqual([]);
    expect(health.suspect(suspicion('b'), 1)).toEqual([]);
    expect(health.suspect(suspicion('a'), 1)).toHaveLength(2);
    expect(health.suspect(suspicion('a', 'machine'), 0)).toEqual([]);
    expect(health.isBroken).toBe(false);
  });
});
