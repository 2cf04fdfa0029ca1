import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseExperiment, placesIn } from './experiment.js';

const schema = z.strictObject({
  method: z.string().default('dgl'),
  learningRate: z.number().min(0).default(0.1),
  momentum: z.number().min(0).default(0.9),
  seed: z.int().default(1),
});

const text = (tune: string, more = '') => `name: e
base: { method: "{host}" }
factors: { host: [dgl, greedy] }
tune: ${tune}
include: [{ name: end to end, method: backprop${more} }]
reference: end to end
seeds: 2
`;
const parse = (tune: string, more = '', overrides: string[] = []) =>
  parseExperiment(text(tune, more), 'e.yaml', { schema, overrides });

describe('tune', () => {
  it('runs every condition, included ones too, with every value', async () => {
    const { conditions, factors, tune, reference } = await parse('{ learningRate: [0.1, 0.03] }');
    expect(conditions.map(({ name, setting, labels, config }) => [name, setting, labels, config.learningRate])).toEqual(
      ['dgl', 'greedy', 'end to end'].flatMap((name) =>
        [0.1, 0.03].map((rate) => {
          const host: Record<string, string> = name === 'end to end' ? {} : { host: name };
          return [`${name}, learningRate ${rate}`, name, { ...host, learningRate: String(rate) }, rate];
        }),
      ),
    );
    expect([factors, tune]).toEqual([['host', 'learningRate'], ['learningRate']]);
    expect(conditions.find(({ key }) => key === reference)?.setting).toBe('end to end');
  });

  it('combines several keys', async () => {
    const { conditions } = await parse('{ learningRate: [0.1, 0.03], momentum: [0, 0.9] }');
    expect(conditions).toHaveLength(12);
    expect(conditions[1]?.name).toBe('dgl, learningRate 0.1, momentum 0.9');
  });

  it('names the place of a value', async () => {
    const place = placesIn(text('{ learningRate: [0.1, 0.03] }'), 'e.yaml');
    expect(place('greedy, learningRate 0.03', 'learningRate')).toBe('e.yaml:4:29');
    await expect(parse('{ learningRate: [0.1, -1] }')).rejects.toThrow(/e\.yaml:4:29: learningRate: /);
  });

  it('is set as a whole from outside', async () => {
    const { conditions } = await parse('{ learningRate: [0.1, 0.03] }', '', ['tune.learningRate=[1,2]']);
    expect(conditions.map(({ config }) => config.learningRate)).toEqual([1, 2, 1, 2, 1, 2]);
    await expect(parse('{ learningRate: [0.1, 0.03] }', '', ['learningRate=1'])).rejects.toThrow(
      /--set 'tune\.learningRate=\[…\]'/,
    );
  });

  it.each([
    ['{ learningRate: [0.1] }', '', /e\.yaml:4:/],
    ['{ learningRate: [0.1, 0.1] }', '', /'learningRate' has the value '0\.1' twice/],
    ['{ host: [a, b] }', '', /unknown key 'host'/],
    ['{ learningRat: [0.1, 0.2] }', '', /learningRate/],
    ['{ learningRate: [0.1, 0.2] }', ', learningRate: 1', /e\.yaml:5:.*chosen by each condition/],
  ])('refuses %s%s', async (tune, more, message) => {
    await expect(parse(tune, more)).rejects.toThrow(message);
  });
});
