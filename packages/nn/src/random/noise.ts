import type { NoiseKey } from '@localgrad/core';
import { hashWords } from './hash.js';
import { createRandom, type Random } from './random.js';

/**
 * Random numbers of one forward pass for the block or head with this full name. The same key and name give the same
 * numbers: in a repeated forward, and in a resumed run.
 */
export function noiseRandom(key: NoiseKey, name: string): Random {
  return createRandom(key.seed, streamOf(key, name));
}

/**
 * `value` with the given probability, else 0, for each of `size` entries; seeded like `noiseRandom`. One 32-bit number
 * per entry (xoshiro128++), since masks have as many entries as feature maps.
 */
export function noiseMask(key: NoiseKey, name: string, size: number, probability: number, value: number): Float32Array {
  let [a, b, c, d] = hashWords(key.seed, `mask/${streamOf(key, name)}`);
  // The all-zero state never changes.
  if ((a | b | c | d) === 0) a = 1;
  const threshold = probability * 2 ** 32;
  const mask = new Float32Array(size);
  for (let index = 0; index < size; index++) {
    const sum = (a + d) | 0;
    const drawn = (((sum << 7) | (sum >>> 25)) + a) >>> 0;
    if (drawn < threshold) mask[index] = value;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
  }
  return mask;
}

function streamOf({ step, part }: NoiseKey, name: string): string {
  return `noise/${step}/${part}/${name}`;
}
