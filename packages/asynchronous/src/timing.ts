import { at } from '@localgrad/core';
import { AsynchronousSchedule, type ScheduleOptions } from './schedule.js';

/** How often a module trains, and on which batches. */
export interface ModuleTiming {
  /** Index of the module. */
  readonly module: number;
  /** Updates for each batch of data. */
  readonly updatesPerBatch: number;
  /** Mean age of the batches that it trains on, in batches: 0 if they are the newest. */
  readonly meanAge: number;
  /** Fraction of its updates that train on a batch that it has trained on before. */
  readonly repeated: number;
}

/**
 * Timing of each module, counted over the first rounds of a schedule.
 *
 * @param rounds number of batches of data. Default 500
 */
export function timingOf(options: ScheduleOptions, rounds = 500): ModuleTiming[] {
  const schedule = new AsynchronousSchedule(options);
  const counts = Array.from({ length: options.modules }, () => {
    return { updates: 0, ages: 0, repeated: 0, seen: new Set<number>() };
  });
  for (let round = 0; round < rounds; round++) {
    for (const { module, batch } of schedule.round()) {
      const count = at(counts, module, 'module');
      count.updates++;
      count.ages += round - batch;
      if (count.seen.has(batch)) count.repeated++;
      count.seen.add(batch);
    }
  }
  return counts.map(({ updates, ages, repeated }, module) => {
    const mean = (sum: number) => (updates === 0 ? 0 : sum / updates);
    return { module, updatesPerBatch: updates / rounds, meanAge: mean(ages), repeated: mean(repeated) };
  });
}
