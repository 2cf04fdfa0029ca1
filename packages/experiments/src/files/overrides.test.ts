import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseExperiment, placesIn } from './experiment.js';

const schema = z.strictObject({
  method: z.string().default('dgl'),
  modules: z.int().min(1).default(4),
  epochs: z.int().min(1).default(3),
  seed: z.int().default(1),
});

const text = `name: e
base: { method: "{host}", epochs: 3 }
factors:
  host: { DGL: dgl, Greedy: greedy }
grid:
  modules: [2, 4]
include:
  - { name: end to end, method: backprop, epochs: 9 }
  - { name: short, method: backprop, modules: 1 }
seeds: 5
`;

const parse = (...overrides: string[]) => parseExperiment(text, 'e.yaml', { schema, overrides });
const problemsOf = (override: string, source = text): Promise<string[]> =>
  parseExperiment(source, 'e.yaml', { schema, overrides: [override] }).then(
    () => [],
    (error: Error) => error.message.split('\n'),
  );

describe('overrides', () => {
  it('set a key of a run in every condition, also in those that have their own value', async () => {
    const { conditions, overrides, source } = await parse('epochs=1');
    expect(new Set(conditions.map(({ config }) => config.epochs))).toEqual(new Set([1]));
    expect(overrides).toEqual(['epochs=1']);
    expect(source).toBe(text);
  });

  it('set a key of the file by its path, with YAML values', async () => {
    const { conditions, seeds } = await parse('seeds=[7]', 'grid.modules=[8]', 'base.epochs=2', 'retries=0');
    expect(seeds).toEqual([7]);
    expect(conditions.map(({ name, config }) => [name, config.modules, config.epochs])).toEqual([
      ['DGL, modules 8', 8, 2],
      ['Greedy, modules 8', 8, 2],
      ['end to end', 4, 9],
      ['short', 1, 2],
    ]);
  });

  it('take a text with a colon as text, since expressions have options', async () => {
    const { conditions } = await parse('factors.host.DGL=dgl(head: 1c2f)', 'factors.host.Mine=mine');
    expect(conditions.map(({ config }) => config.method)).toEqual([
      ...['dgl(head: 1c2f)', 'dgl(head: 1c2f)', 'greedy', 'greedy', 'mine', 'mine', 'backprop', 'backprop'],
    ]);
  });

  it.each([
    ['epoch=1', "--set epoch=1: unknown key 'epoch'. Did you mean 'epochs'?"],
    ['epochs=0', '--set epochs=0: epochs: expected a number ≥ 1; found 0'],
    ['seeds=no', '--set seeds=no: seeds: expected a number of seeds'],
    ['seed=1', "--set seed=1: 'seed' is not given here: list seeds under 'seeds'"],
    [
      'modules=2',
      "--set modules=2: the file lists several values of 'modules' under grid. Use --set 'grid.modules=[…]'.",
    ],
    ['model.epochs=2', '--set model.epochs=2: a path starts with a key of the file. Allowed: name,'],
    ['epochs', '--set epochs: expected KEY=VALUE'],
    ['grid.modules=[2', "--set grid.modules=[2: '[2' is not a YAML value"],
    ['seeds.first=2', "--set seeds.first=2: there are no keys at 'seeds'."],
    ['factors.host={ DGL: dgl }', undefined],
    [
      'compare={ factor: host, baseline: DLG }',
      "--set compare={ factor: host, baseline: DLG }: factor 'host' has no value",
    ],
  ])('are named in errors about them: %s', async (override, message) => {
    const [problem] = await problemsOf(override);
    if (message === undefined) expect(problem).toBeUndefined();
    else expect(problem).toContain(message);
  });

  it('leave errors elsewhere at their place in the file', async () => {
    const wrong = text.replace('epochs: 9', 'epochs: nine');
    expect(await problemsOf('seeds=1', wrong)).toEqual([
      expect.stringContaining('e.yaml:8:51: epochs: expected a number'),
    ]);
    const both = await problemsOf('base.epochs=0', wrong);
    expect(both).toHaveLength(2);
    expect(both[0]).toContain('--set base.epochs=0');
    expect(both[1]).toContain('e.yaml:8:51');
    expect(placesIn(text, 'e.yaml', ['epochs=1'])('end to end', 'epochs')).toBe('--set epochs=1');
    expect(placesIn(text, 'e.yaml', ['epochs=1'])('end to end', 'method')).toBe('e.yaml:8:33');
  });
});
