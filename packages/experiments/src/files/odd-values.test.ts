import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseExperiment } from './experiment.js';

const schema = z.strictObject({
  method: z.string().default('dgl'),
  modules: z.int().min(1).default(4),
  learningRate: z.number().default(0.1),
  nesterov: z.boolean().default(true),
  seed: z.int().default(1),
});

const parse = (text: string) => parseExperiment(`name: odd\n${text}`, 'e.yaml', { schema });
const included = 'include: [{ name: end to end, method: backprop, modules: 1 }]\n';

describe('values of an experiment file that are numbers', () => {
  it.each([
    ['grid: { learningRate: [0.10, 0.030] }\ncompare: { factor: learningRate, baseline: 0.1 }', '0.1'],
    ['grid: { learningRate: [1e-1, 3e-2] }\ncompare: { factor: learningRate, baseline: 0.10 }', '0.1'],
    ['grid: { nesterov: [true, false] }\ncompare: { factor: nesterov, baseline: false }', 'false'],
    ['base: { method: "mlm(dgl, window: {w})" }\nfactors: { w: [2, 3.0] }\ncompare: { factor: w, baseline: 3 }', '3'],
  ])('are baselines as they are labels: %s', async (text, baseline) => {
    const { compare, conditions } = await parse(text);
    expect(compare?.baseline).toBe(baseline);
    expect(conditions.map(({ labels }) => labels[compare?.factor ?? ''])).toContain(baseline);
  });

  it('are names of conditions', async () => {
    const { conditions, reference } = await parse('include: [{ name: 2024, modules: 1 }]\nreference: 2024');
    expect(conditions.at(-1)?.name).toBe('2024');
    expect(reference).toBe(conditions.at(-1)?.key);
  });
});

describe('an experiment file is rejected if', () => {
  it.each([
    ['seeds are a range', 'seeds: 1-5', 'found "1-5"'],
    ['seeds are ranges in a list', 'seeds: [1, 3-5]', 'found "3-5"'],
    ['seeds are bounds', 'seeds: { from: 1, to: 5 }', 'found {"from":1,"to":5}'],
    ['seeds are text', 'seeds: "3"', 'found "3"'],
  ])('%s', async (_, text, found) => {
    await expect(parse(text)).rejects.toThrow(
      `seeds: expected a number of seeds (5 for seeds 1 to 5), or a list of seeds ([1, 2, 3]); ${found}`,
    );
  });

  it.each([
    [
      'a rule excludes everything',
      `${included}grid: { modules: [1, 2] }\nexclude: [{}]`,
      'an empty rule excludes every combination',
    ],
    [
      'only included conditions are left',
      `${included}grid: { modules: [1, 2] }\nexclude: [{ modules: 1 }, { modules: 2 }]`,
      'nothing is left to run beside the included conditions: every combination is excluded',
    ],
    [
      'the baseline is excluded everywhere',
      'grid: { modules: [1, 2, 3] }\nexclude: [{ modules: 1 }]\ncompare: { factor: modules, baseline: 1 }',
      "no condition with the baseline '1' of 'modules' is left: all are excluded",
    ],
    [
      'a rule names a factor where there are none',
      'exclude: [{ modules: 1 }]',
      "Allowed: none, without 'factors' and 'grid'",
    ],
    ['a factor has no values', 'base: { method: "{a}" }\nfactors: { a: {} }', "factor 'a' has no values"],
    ['a label is empty', 'base: { method: "{a}" }\nfactors: { a: { " ": dgl, x: greedy } }', "a label of 'a' is empty"],
    [
      'labels differ in spaces',
      'base: { method: "{a}" }\nfactors: { a: { "x": dgl, "x ": greedy } }',
      "the values 'x' and 'x ' of 'a' look the same in reports",
    ],
    [
      'names differ in line breaks',
      'include: [{ name: "a\\nb", modules: 1 }, { name: a b, modules: 2 }]',
      'the names "a\\nb" and "a b" of conditions look the same in reports',
    ],
    [
      'names differ in the encoding of accents',
      'include: [{ name: "\\u00e9", modules: 1 }, { name: "e\\u0301", modules: 2 }]',
      'of conditions look the same in reports',
    ],
    ['a value is given twice', 'grid: { learningRate: [0.10, 0.1] }', "'learningRate' has the value '0.1' twice"],
  ])('%s', async (_, text, message) => {
    await expect(parse(text)).rejects.toThrow(message);
  });
});
