import { at, type MovingAverage } from '@localgrad/core';
import type { Twin } from './leap-chain.js';

/** Moving averages of the live blocks' weights, matched by name; running statistics are not averaged. */
export function averagesOf(
  twins: readonly Twin[],
  momentum: number,
  when: MovingAverage['when'],
): readonly MovingAverage[] {
  return twins.flatMap(({ average, live }) => {
    return live.parameters.map(({ name }, index) => ({
      average: at(average.parameters, index, 'averaged parameter'),
      live: name,
      momentum,
      when,
    }));
  });
}
