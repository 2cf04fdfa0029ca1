import { describe, expect, it } from 'vitest';
import { CheckpointClock } from './checkpoint-clock.js';

describe('CheckpointClock', () => {
  it('is due after the first minute of an attempt, then every ten minutes', async () => {
    let seconds = 100;
    const clock = new CheckpointClock(() => 1000 * seconds);
    seconds = 159.9;
    expect(clock.isDue()).toBe(false);
    seconds = 160;
    expect(clock.isDue()).toBe(true);
    await clock.around(async () => {
      seconds += 5;
    });
    seconds = 764.9;
    expect(clock.isDue()).toBe(false);
    seconds = 765;
    expect(clock.isDue()).toBe(true);
  });

  it('spends at most 5 % of the time on saving', async () => {
    let seconds = 0;
    const clock = new CheckpointClock(() => 1000 * seconds);
    await clock.around(async () => {
      seconds += 50;
    });
    seconds = 1049;
    expect(clock.isDue()).toBe(false);
    seconds = 1050;
    expect(clock.isDue()).toBe(true);
  });

  it('stays due after a failed save', async () => {
    let seconds = 0;
    const clock = new CheckpointClock(() => 1000 * seconds);
    seconds = 60;
    await expect(clock.around(() => Promise.reject(new Error('full')))).rejects.toThrow('full');
    expect(clock.isDue()).toBe(true);
  });
});
