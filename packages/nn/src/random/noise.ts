import type { NoiseKey } from '@localgrad/core';
import { hashWords } from './hash.js';
import { createRandom, type Random } from './random.js';

/**
 * Random numbers of one forward pass for the block or head with this full name. Equal keys and names yield equal
 * numbers, also in a repeated forward pass and in a resumed run.
 */
export function noiseRandom(key: NoiseKey, name: string): Random {
  return createRandom(key.seed, streamOf(key, name));
}

/**
 * An array of `size` entries, each `value` with the given probability, else 0; seeded like `noiseRandom`. Uses one
 * 32-bit number per entry (xoshiro128++), because masks are as large as feature maps.
 */
export function noiseMask(key: NoiseKey, name: string, size: number, probability: number, value: number): Float32Array {
  let [a, b, c, d] = hashWords(key.seed, `mask/${streamOf(key, name)}`);
  // The all-zero state is a fixed point of the generator.
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
