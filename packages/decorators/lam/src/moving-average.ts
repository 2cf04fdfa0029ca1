import type { Block, MovingAverage, Parameter } from '@localgrad/core';
import { at } from '@localgrad/core';
import type { Twin } from './leap-chain.js';

/** Moving averages of the live blocks' weights, matched by name; running statistics are not averaged. */
export function averagesOf(
  twins: readonly Twin[],
  momentum: number,
  when: MovingAverage['when'],
): readonly MovingAverage[] {
  return twins.flatMap(({ average, live }) => {
    const averages = averaged(average);
    return averaged(live).map(({ name }, index) => ({
      average: at(averages, index, 'averaged parameter'),
      live: name,
      momentum,
      when,
    }));
  });
}

function averaged(block: Block): Parameter[] {
  return block.parameters.filter(({ kind }) => kind !== 'statistic');
}
