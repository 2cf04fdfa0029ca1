import { LocalgradError, type RandomSource, requireOption } from '@localgrad/core';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import { hashWords } from './hash.js';

const algorithm = 'xoroshiro128plus';

/** Complete state of a generator, as plain data for checkpoints. */
export interface RandomState {
  /** Name of the generator; a state of another algorithm is rejected. */
  readonly algorithm: string;
  /** The words of the generator's state, as 32-bit integers. */
  readonly words: readonly number[];
}

/** A seeded generator whose state can be saved. Equal seeds yield equal numbers on every machine. */
export interface Random extends RandomSource {
  /** Uniform integer in [0, n). */
  integer(n: number): number;
  /** Shuffles in place (Fisher–Yates) and returns its argument. */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T;
  /** The complete state, from which `restoreRandom` continues the sequence. */
  getState(): RandomState;
}

/**
 * @param seed a non-negative integer below 2⁵³
 * @param stream name of an independent sequence under the same seed, e.g. `shuffle`
 * @throws LocalgradError `invalid-option`
 */
export function createRandom(seed: number, stream = ''): Random {
  requireOption(Number.isSafeInteger(seed) && seed >= 0, 'createRandom', 'seed', seed, 'integers from 0 to 2^53 − 1');
  return fromWords(hashWords(seed, stream));
}

/** Creates a generator that continues from `state`. @throws LocalgradError `invalid-data` */
export function restoreRandom(state: RandomState): Random {
  if (state.algorithm !== algorithm || state.words.length !== 4 || !state.words.every(Number.isInteger)) {
    throw new LocalgradError(
      'invalid-data',
      `restoreRandom: a state of '${state.algorithm}' with ${state.words.length} words; allowed: '${algorithm}' with 4 integers.`,
      { state },
    );
  }
  return fromWords(state.words);
}

function fromWords(words: readonly number[]): Random {
  // The all-zero state is a fixed point of xoroshiro.
  const generator = xoroshiro128plusFromState(words.some((word) => word !== 0) ? words : [1, 0, 0, 0]);
  const uniform = (): number => uniformFloat64(generator);
  const integer = (n: number): number => {
    requireOption(Number.isSafeInteger(n) && n > 0, 'Random.integer', 'n', n, 'positive integers');
    return uniformInt(generator, 0, n - 1);
  };
  return {
    uniform,
    // Box–Muller; its second value is discarded, so that the state consists only of the generator's words.
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    integer,
    shuffle: (items) => {
      const list = items as { length: number; [index: number]: unknown };
      for (let last = list.length - 1; last > 0; last--) {
        const other = integer(last + 1);
        const held = list[last];
        list[last] = list[other];
        list[other] = held;
      }
      return items;
    },
    getState: () => ({ algorithm, words: [...generator.getState()] }),
  };
}
