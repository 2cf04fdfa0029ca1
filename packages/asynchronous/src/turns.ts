import { at } from '@localgrad/core';
import { createRandom } from '@localgrad/nn/random';
import type { AsynchronousOptions } from './options.js';

/** The rules of turns. */
export interface TurnRules extends Required<Pick<AsynchronousOptions, 'order' | 'slow'>> {
  /** Number of modules. */
  readonly modules: number;
  /** Seed of a random order. */
  readonly seed: number;
}

/** Turns of each module in the warm-up of a random order, which fills the buffers from the first module to the last. */
const warmupTurns = 2;

/** Whose turn comes next. @param turns number of turns that each module has had */
export function nextTurn(rules: TurnRules, turns: readonly number[]): number {
  return rules.order === 'random' ? drawn(rules, turns) : earliest(rules, turns);
}

/** Steps take as long as a module's pace, and of modules that are ready at the same time the first begins. */
function earliest(rules: TurnRules, turns: readonly number[]): number {
  const starts = turns.map((count, module) => count * paceOf(rules, module));
  return starts.indexOf(Math.min(...starts));
}

function drawn({ modules, seed, ...rules }: TurnRules, turns: readonly number[]): number {
  const turn = turns.reduce((sum, count) => sum + count, 0);
  if (turn < warmupTurns * modules) return Math.floor(turn / warmupTurns);
  const rates = turns.map((_, module) => 1 / paceOf(rules, module));
  let left = createRandom(seed, `turn/${turn}`).uniform() * rates.reduce((sum, rate) => sum + rate, 0);
  for (let module = 0; module < modules - 1; module++) {
    left -= at(rates, module, 'module');
    if (left < 0) return module;
  }
  return modules - 1;
}

function paceOf({ slow }: Pick<TurnRules, 'slow'>, module: number): number {
  return slow.find((one) => one.module === module)?.pace ?? 1;
}
