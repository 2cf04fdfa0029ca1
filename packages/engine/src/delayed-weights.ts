import type { Network, Parameter, ParameterScope } from '@localgrad/core';
import { zeros } from '@localgrad/nn/random';
import { type HeadAverage, moveAverages } from './moving-averages.js';

/** Values of a weight after earlier steps. */
export interface WeightHistory {
  /** The weight. */
  readonly live: Parameter;
  /** Its values after the last steps, the newest first. */
  readonly values: readonly Parameter[];
}

/** Averages that follow weights of other modules some steps late, and the values that they read. */
export interface DelayedAverages {
  readonly averages: readonly HeadAverage[];
  readonly histories: readonly WeightHistory[];
}

/**
 * Lets averages of other modules' weights follow these weights `delay` steps late.
 *
 * @param moduleOf index of the module of a head
 * @param scope for the histories
 */
export function delayAverages(
  averages: readonly HeadAverage[],
  delay: number,
  { modules }: Network,
  moduleOf: ReadonlyMap<string, number>,
  scope: ParameterScope,
): DelayedAverages {
  if (delay === 0) return { averages, histories: [] };
  const owners = new Map(
    modules.flatMap(({ index, blocks }) =>
      blocks.flatMap(({ parameters }) => parameters.map((parameter) => [parameter, index] as const)),
    ),
  );
  const isDelayed = ({ head, live, momentum }: HeadAverage) =>
    momentum !== 1 && owners.has(live) && owners.get(live) !== moduleOf.get(head);
  const histories = new Map<Parameter, Parameter[]>();
  const valueBefore = (live: Parameter, steps: number): Parameter => {
    const values = histories.get(live) ?? [];
    histories.set(live, values);
    for (let age = values.length; age < steps; age++) {
      values.push(scope.scope(String(age)).parameter(live.name, live.shape, zeros, 'state'));
    }
    return values[steps - 1] ?? live;
  };
  const delayed = {
    // After the update, the newest value in a history is that of the step before; before the update, the weight's own.
    averages: averages.map((one) =>
      isDelayed(one) ? { ...one, source: valueBefore(one.live, one.when === 'afterUpdate' ? delay : delay + 1) } : one,
    ),
    histories: [...histories].map(([live, values]) => ({ live, values })),
  };
  startHistories(delayed.histories);
  return delayed;
}

/** Fills histories with the weights as they are: before the first step, and after initial weights have been loaded. */
export function startHistories(histories: readonly WeightHistory[]): void {
  for (const { live, values } of histories) for (const value of values) value.assign(live.value.clone());
}

/** Adds the values after a step to the histories. */
export function recordHistories(histories: readonly WeightHistory[]): void {
  moveAverages(
    histories.flatMap(({ live, values }) =>
      values
        .map((average, age): HeadAverage => {
          const source = values[age - 1] ?? live;
          return { head: '', average, live, source, momentum: 0, when: 'afterUpdate' };
        })
        .reverse(),
    ),
  );
}
