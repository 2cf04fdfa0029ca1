import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

/** Draws a uniform integer in [0, n). */
export type RandomInteger = (n: number) => number;

/**
 * Seeded generator (xoroshiro128+). The same seed and stream yield the same integers on every machine.
 *
 * @param seed non-negative integer below 2⁵³
 * @param stream name of an independent sequence under the same seed
 */
export function randomIntegers(seed: number, stream: string): RandomInteger {
  const generator = xoroshiro128plusFromState(hashWords(seed, stream));
  return (n) => uniformInt(generator, 0, n - 1);
}

/**
 * Four 32-bit words from a seed and a text: FNV-1a over the text in four lanes with different offsets, each finished with
 * the avalanche step of MurmurHash3. Not cryptographic.
 */
function hashWords(seed: number, text: string): [number, number, number, number] {
  const low = seed | 0;
  const high = Math.floor(seed / 2 ** 32) | 0;
  const lane = (salt: number): number => {
    let hash = avalanche(avalanche(0x811c9dc5 ^ salt ^ low) ^ high);
    for (let index = 0; index < text.length; index++) {
      hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    }
    return avalanche(hash ^ text.length);
  };
  return [lane(0x9e3779b9), lane(0x3c6ef372), lane(0xdaa66d2b), lane(0x78dde6e4)];
}

function avalanche(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
