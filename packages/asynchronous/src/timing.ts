import { at } from '@localgrad/core';
import { AsynchronousSchedule, type ScheduleOptions } from './schedule.js';
import { type ModuleTiming, TurnCounter } from './turn-counter.js';

/**
 * Timing of each module, counted over the first rounds of a schedule.
 *
 * @param rounds number of batches of data. Default 500
 */
export function timingOf(options: ScheduleOptions, rounds = 500): ModuleTiming[] {
  const schedule = new AsynchronousSchedule(options);
  const counter = new TurnCounter(options.modules);
  const seen = Array.from({ length: options.modules }, () => new Set<number>());
  for (let round = 0; round < rounds; round++) {
    for (const { module, batch } of schedule.round()) {
      const known = at(seen, module, 'module');
      counter.add(module, { age: round - batch, isRepeated: known.has(batch) });
      known.add(batch);
    }
  }
  return counter.timing(rounds);
}
