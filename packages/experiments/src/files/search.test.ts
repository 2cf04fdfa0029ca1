import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseExperiment, placesIn } from './experiment.js';

const schema = z.strictObject({
  method: z.string().default('dgl'),
  modules: z.int().min(1).max(64).default(4),
  learningRate: z.number().min(0).default(0.1),
  seed: z.int().default(1),
});

const text = (search: string, more = '') =>
  `name: e\nbase: { method: "{host}" }\nfactors: { host: [dgl, greedy] }\nsearch: ${search}\nseeds: 1\n${more}`;
const parse = (search: string, more = '') => parseExperiment(text(search, more), 'e.yaml', { schema });

describe('a random search', () => {
  it('draws the same values for all combinations, and the same again', async () => {
    const search =
      '{ samples: 3, ranges: { learningRate: { from: 0.001, to: 1, scale: log }, modules: { from: 2, to: 8, step: 2 } } }';
    const { conditions, factors } = await parse(search);
    expect(factors).toEqual(['host', 'sample', 'learningRate', 'modules']);
    expect(conditions).toHaveLength(6);
    const drawn = conditions.map(({ config }) => [config.learningRate, config.modules]);
    expect(drawn.slice(3)).toEqual(drawn.slice(0, 3));
    expect((await parse(search)).conditions).toEqual(conditions);
    expect(conditions[0]?.labels).toEqual({
      host: 'dgl',
      sample: '1',
      learningRate: String(drawn[0]?.[0]),
      modules: String(drawn[0]?.[1]),
    });
    expect(conditions[0]?.name).toBe(`dgl, sample 1, learningRate ${drawn[0]?.[0]}, modules ${drawn[0]?.[1]}`);
    // Values of earlier versions must stay the same, so that their sweeps can be resumed.
    expect(drawn.slice(0, 3)).toEqual([
      [0.001397, 8],
      [0.6833, 6],
      [0.6322, 2],
    ]);
  });

  it('keeps earlier samples where samples or ranges are added', async () => {
    const rates = async (samples: number, more = '') => {
      const { conditions } = await parse(
        `{ samples: ${samples}, ranges: { learningRate: { from: 0, to: 1 }${more} } }`,
      );
      return conditions.slice(0, samples).map(({ config }) => config.learningRate);
    };
    const few = await rates(4);
    expect((await rates(9)).slice(0, 4)).toEqual(few);
    expect(await rates(4, ', modules: [2, 3]')).toEqual(few);
  });

  it('draws uniformly, or uniformly on a log scale, within the range', async () => {
    const share = async (scale: string, below: number) => {
      const { conditions } = await parse(
        `{ samples: 400, ranges: { learningRate: { from: 0.01, to: 1, scale: ${scale} } } }`,
      );
      const rates = conditions.slice(0, 400).map(({ config }) => Number(config.learningRate));
      expect(Math.min(...rates)).toBeGreaterThanOrEqual(0.01);
      expect(Math.max(...rates)).toBeLessThanOrEqual(1);
      return rates.filter((rate) => rate < below).length / 400;
    };
    // Four standard deviations of a fraction of 400.
    expect(Math.abs((await share('log', 0.1)) - 0.5)).toBeLessThan(0.1);
    expect(Math.abs((await share('linear', 0.505)) - 0.5)).toBeLessThan(0.1);
  });

  it('fills places of texts, and draws each combination of lists once', async () => {
    const search = '{ samples: 4, seed: 3, ranges: { window: [2, 3], head: [a, b] } }';
    const experiment = text(search).replace('"{host}"', '"mlm({host}, window: {window}, head: {head})"');
    const { conditions } = await parseExperiment(experiment, 'e.yaml', { schema });
    expect(
      conditions
        .slice(0, 4)
        .map(({ config }) => config.method)
        .sort(),
    ).toEqual([
      ...['mlm(dgl, window: 2, head: a)', 'mlm(dgl, window: 2, head: b)'],
      ...['mlm(dgl, window: 3, head: a)', 'mlm(dgl, window: 3, head: b)'],
    ]);
  });

  it.each([
    ['{ samples: 2, ranges: { rate: { from: 0, to: 1 } } }', "e.yaml:4:33: unknown key 'rate'."],
    [
      '{ samples: 2, ranges: { learningRate: { from: 1, to: 0.1 } } }',
      "learningRate: from 1 to 0.1; allowed: a higher 'to'",
    ],
    [
      '{ samples: 2, ranges: { learningRate: { from: 0, to: 1, scale: log } } }',
      'from 0; allowed with scale log: numbers above 0',
    ],
    ['{ samples: 2, ranges: { host: [a] } }', 'host: is a factor already'],
    ['{ samples: 3, ranges: { modules: [2, 3] } }', 'only 2 different samples were found in these ranges'],
    ['{ samples: 2, range: {} }', "unknown key 'range'. Did you mean 'ranges'?"],
    [
      '{ samples: 8, ranges: { modules: { from: 60, to: 70, step: 1 } } }',
      'e.yaml:4:42: modules: expected a number ≤ 64',
    ],
  ])('rejects %s', async (search, message) => {
    await expect(parse(search)).rejects.toThrow(message);
  });

  it('is the place of the keys that it draws', () => {
    const found = text('{ samples: 1, ranges: { modules: [2] } }');
    expect(placesIn(found, 'e.yaml')('dgl, sample 1, modules 2', 'modules')).toBe('e.yaml:4:42');
  });
});
