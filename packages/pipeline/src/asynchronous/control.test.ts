import { clockAt } from '@localgrad/core';
import { describe, expect, it } from 'vitest';
import { SharedControl } from './control.js';

describe('SharedControl', () => {
  it('numbers commands, and starts with one to rest', () => {
    const control = SharedControl.create();
    const worker = new SharedControl(control.memory);
    expect(worker.current).toEqual({ kind: 'rest', number: 0 });
    control.command('run');
    expect(worker.current).toEqual({ kind: 'run', number: 1 });
    control.command('rest');
    control.command('end');
    expect(worker.current).toEqual({ kind: 'end', number: 3 });
  });

  it('counts events, so that a wait that begins too late ends at once', () => {
    const control = SharedControl.create();
    const seen = control.events;
    control.command('run');
    expect(control.events).toBe(seen + 1);
    control.wait(seen);
    const start = performance.now();
    control.wait(control.events, 20);
    expect(performance.now() - start).toBeGreaterThan(15);
  });

  it('contains the step that the first module has begun last', () => {
    const control = SharedControl.create([0, 1]);
    const moment = { clock: clockAt(13, 4, 5), learningRate: 0.1 };
    control.moment = moment;
    expect(new SharedControl(control.memory).moment).toEqual(moment);
  });

  it('lets workers train in a given order, and rest before turns of the first one', () => {
    const control = SharedControl.create([0, 2, 0]);
    const state = () => [0, 1, 2].map((worker) => control.isTurnOf(worker)).concat(control.mayRest);
    expect(state()).toEqual([true, false, false, true]);
    control.endTurn();
    expect(state()).toEqual([false, false, true, false]);
    control.endTurn();
    expect(state()).toEqual([true, false, false, true]);
    control.endTurn();
    expect([...state(), control.hasOrder]).toEqual([true, true, true, true, false]);
    control.endTurn();
    expect(state()).toEqual([true, true, true, true]);
  });
});
