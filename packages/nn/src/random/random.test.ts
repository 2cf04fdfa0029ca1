import { LocalgradError } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { constant, heNormalFanOut, ones, uniformFanIn, zeros } from './initializers.js';
import { createRandom, restoreRandom } from './random.js';
import { createScope } from './scope.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const draw = (source: { uniform(): number }, count: number) => Array.from({ length: count }, () => source.uniform());

describe('createRandom', () => {
  it('is reproducible for a seed, and differs between seeds and streams', () => {
    expect(draw(createRandom(1), 5)).toEqual(draw(createRandom(1), 5));
    expect(draw(createRandom(1), 5)).not.toEqual(draw(createRandom(2), 5));
    expect(draw(createRandom(1), 5)).not.toEqual(draw(createRandom(1, 'shuffle'), 5));
    expect(draw(createRandom(1), 5)).not.toEqual(draw(createRandom(2 ** 32 + 1), 5));
  });

  it('continues from a saved state, also from JSON', () => {
    const random = createRandom(3);
    draw(random, 7);
    random.normal();
    const state = JSON.parse(JSON.stringify(random.getState()));
    const rest = [random.normal(), random.integer(100), random.uniform()];
    const other = restoreRandom(state);
    expect([other.normal(), other.integer(100), other.uniform()]).toEqual(rest);
  });

  it('samples uniform and normal numbers with the correct moments', () => {
    const random = createRandom(4);
    const moments = (values: number[]) => {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return [mean, values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length] as const;
    };
    const [uniformMean, uniformVariance] = moments(draw(random, 20_000));
    expect(uniformMean).toBeCloseTo(0.5, 1);
    expect(uniformVariance).toBeCloseTo(1 / 12, 2);
    const [normalMean, normalVariance] = moments(Array.from({ length: 20_000 }, () => random.normal()));
    expect(Math.abs(normalMean)).toBeLessThan(0.03);
    expect(Math.abs(normalVariance - 1)).toBeLessThan(0.05);
  });

  it('shuffles all items, arrays and typed arrays', () => {
    const random = createRandom(5);
    const items = random.shuffle(Int32Array.from({ length: 50 }, (_, index) => index));
    expect([...items].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, index) => index));
    expect([...items]).not.toEqual(Array.from({ length: 50 }, (_, index) => index));
    expect(random.shuffle(['a'])).toEqual(['a']);
  });

  it('rejects invalid seeds and states', () => {
    for (const seed of [-1, 1.5, Number.NaN]) expect(() => createRandom(seed)).toThrow(/seed/);
    expect(() => restoreRandom({ algorithm: 'mersenne', words: [] })).toThrow(/xoroshiro128plus/);
    expect(() => createRandom(1).integer(0)).toThrow(/positive/);
  });
});

describe('createScope', () => {
  const noise = (_shape: readonly number[], random: { uniform(): number }) => Float32Array.of(random.uniform());

  it('initializes values from seed and full name, independent of the order', () => {
    const values = (names: string[], seed = 1) => {
      const scope = createScope(seed);
      return new Map(names.map((name) => [name, scope.parameter(name, [1], noise).value.dataSync()[0]]));
    };
    const forward = values(['a', 'b', 'c']);
    const backward = values(['c', 'a', 'b']);
    for (const name of ['a', 'b', 'c']) expect(backward.get(name)).toBe(forward.get(name));
    expect(new Set(forward.values()).size).toBe(3);
    expect(values(['a'], 2).get('a')).not.toBe(forward.get('a'));
    const nested = createScope(1).scope('a').scope('b').parameter('c', [1], noise);
    expect(nested.value.dataSync()[0]).toBe(createScope(1).parameter('a.b.c', [1], noise).value.dataSync()[0]);
  });

  it('lists all parameters by full name, and rejects duplicate names', () => {
    const scope = createScope(1);
    scope.scope('layer1').parameter('weight', [2], ones);
    scope.parameter('running_mean', [2], zeros, 'statistic');
    expect([...scope.all().keys()]).toEqual(['layer1.weight', 'running_mean']);
    expect(scope.all().get('running_mean')?.kind).toBe('statistic');
    try {
      scope.parameter('layer1.weight', [2], ones);
      expect.unreachable();
    } catch (error) {
      expect(LocalgradError.isInstance(error) && error.code).toBe('misuse');
    }
  });

  it.each([{}, { zeros: true }])('names a parameter without initializer, or of an impossible shape (%j)', (options) => {
    const head = createScope(1, options).scope('heads').scope('own');
    const create = head.parameter as (...given: unknown[]) => unknown;
    expect(() => create('w', [2, 2])).toThrow(/^Parameter 'heads\.own\.w' has no initializer: the third argument/);
    expect(() => create('w', [undefined, 10], ones)).toThrow(
      "Parameter 'heads.own.w' has shape [undefined, 10]; allowed: a list of integers ≥ 0.",
    );
    expect(() => create('w', 3, ones)).toThrow(/has shape 3; allowed/);
  });

  it.each<[string, unknown, RegExp]>([
    [
      'a number',
      0.5,
      /The initializer of parameter 'w' returned 0\.5; allowed: a Float32Array of 6 values, .*\[2, 3\]/,
    ],
    ['too few values', new Float32Array(2), /returned 2 values; allowed: a Float32Array of 6 values/],
    [
      'rows',
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      /returned 2 values; allowed/,
    ],
    ['a tensor', tf.zeros([2, 3]), /returned a tensor; allowed/],
    ['nothing', undefined, /returned undefined; allowed/],
  ])('names a parameter whose initializer returns %s', (_, values, message) => {
    expect(() => createScope(1).parameter('w', [2, 3], () => values as Float32Array)).toThrow(message);
  });

  it('leaves values 0 on request', () => {
    const scope = createScope(1, { zeros: true });
    expect([...scope.parameter('weight', [2, 2], ones).value.dataSync()]).toEqual([0, 0, 0, 0]);
  });

  it('rejects more values than allowed before they are initialized', () => {
    const scope = createScope(1, { mostValues: 1000 });
    scope.scope('layer1').parameter('weight', [30, 30], ones);
    expect(() =>
      scope.scope('layer2').parameter('weight', [101], () => {
        throw new Error('initialized');
      }),
    ).toThrow(/^The network has more than 1,000 weights, the limit \(reached at 'layer2\.weight' of shape \[101\]\)/);
    expect([...scope.all().keys()]).toEqual(['layer1.weight']);
  });
});

describe('initializers', () => {
  it('sample from the documented distributions', () => {
    const random = createRandom(1);
    const he = heNormalFanOut([3, 3, 64, 64], random);
    const deviation = Math.sqrt(he.reduce((sum, value) => sum + value * value, 0) / he.length);
    expect(deviation).toBeCloseTo(Math.sqrt(2 / (9 * 64)), 3);
    const uniform = uniformFanIn(16)([16, 100], random);
    expect(Math.max(...uniform)).toBeLessThanOrEqual(0.25);
    expect(Math.max(...uniform)).toBeGreaterThan(0.24);
    expect(Math.min(...uniform)).toBeLessThan(-0.24);
    expect([...constant(3)([2], random)]).toEqual([3, 3]);
  });
});
