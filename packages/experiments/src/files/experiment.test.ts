import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseExperiment, placesIn } from './experiment.js';

const schema = z.strictObject({
  method: z.string().default('dgl'),
  modules: z.int().min(1).default(4),
  epochs: z.int().min(1).default(3),
  seed: z.int().default(1),
});

const parse = (text: string) => parseExperiment(text, 'e.yaml', { schema });

async function problemsOf(text: string): Promise<string[]> {
  try {
    await parse(text);
  } catch (error) {
    return (error as Error).message.split('\n');
  }
  return [];
}

const ablation = `
name: ablation
base:
  method: "{add}"
factors:
  host: { Greedy: greedy, DGL: "dgl(head: 1c2f)" }
  add: { none: "{host}", MLM: "mlm({host})" }
grid:
  modules: [8, 16]
exclude:
  - { host: Greedy, modules: 16 }
include:
  - { name: end to end, method: backprop, modules: 1 }
seeds: [3, 5]
compare: { factor: add, baseline: none }
reference: end to end
`;

describe('experiment file', () => {
  it('becomes conditions', async () => {
    const experiment = await parse(ablation);
    expect(experiment.conditions.map(({ name, config }) => [name, config.method, config.modules])).toEqual([
      ['Greedy, none, modules 8', 'greedy', 8],
      ['Greedy, MLM, modules 8', 'mlm(greedy)', 8],
      ['DGL, none, modules 8', 'dgl(head: 1c2f)', 8],
      ['DGL, none, modules 16', 'dgl(head: 1c2f)', 16],
      ['DGL, MLM, modules 8', 'mlm(dgl(head: 1c2f))', 8],
      ['DGL, MLM, modules 16', 'mlm(dgl(head: 1c2f))', 16],
      ['end to end', 'backprop', 1],
    ]);
    expect(experiment.conditions[1]?.labels).toEqual({ host: 'Greedy', add: 'MLM', modules: '8' });
    expect(experiment.conditions[0]?.config).toEqual({ method: 'greedy', modules: 8, epochs: 3 });
    expect(experiment).toMatchObject({ factors: ['host', 'add', 'modules'], seeds: [3, 5], source: ablation });
    expect(experiment.reference).toBe(experiment.conditions[6]?.key);
  });

  it('keeps the labels of a factor in the order of the file, also where they are numbers', async () => {
    const { conditions } = await parse(
      'name: e\nbase: { method: "{m}" }\nfactors: { m: { 16: a, 8: b, x: c, 2: d } }\nseeds: 1\n',
    );
    expect(conditions.map(({ name, config }) => [name, config.method])).toEqual([
      ['16', 'a'],
      ['8', 'b'],
      ['x', 'c'],
      ['2', 'd'],
    ]);
  });

  it('rejects two conditions of one name, where the second one stands', async () => {
    const twins = 'name: e\nbase: { method: "{m}" }\nfactors: { m: [a, b] }\ninclude:\n  - { name: x, method: c }\n';
    expect(await problemsOf(`${twins}  - { name: x, method: d }\nreference: x\n`)).toEqual([
      "e.yaml:6:13: there are two conditions 'x'; reports and 'reference' need different names",
    ]);
    expect(await problemsOf(`${twins}  - { name: a, method: d }\n`)).toEqual([
      "e.yaml:6:13: there are two conditions 'a'; reports and 'reference' need different names",
    ]);
  });

  it('rejects a seed where their number belongs, and more combinations than can be run, at once', async () => {
    const text = 'name: e\nbase: { method: "{m}" }\nfactors: { m: [a] }\n';
    expect(await problemsOf(`${text}seeds: 20240101\n`)).toEqual([
      expect.stringMatching(
        /^e\.yaml:4:8: seeds: at most 10000 seeds per condition are allowed; a list names seeds: \[20240101\]/,
      ),
    ]);
    expect((await parse(`${text}seeds: [20240101]\n`)).seeds).toEqual([20240101]);
    const many = JSON.stringify(Array.from({ length: 1000 }, (_, index) => index + 1));
    expect(await problemsOf(`${text}grid: { modules: ${many}, epochs: ${many} }\n`)).toEqual([
      expect.stringMatching(/^e\.yaml:4:1: 1,000,000 combinations .*; allowed: 10,000\./),
    ]);
  });

  it('returns where the file sets a key of a condition', async () => {
    const text =
      'name: e\nbase: { method: "{m}", epochs: 2 }\nfactors: { m: [a] }\ngrid:\n  modules: [1, 2]\ninclude:\n  - { name: x, method: c, epochs: 3 }\n';
    await parse(text);
    const placeOf = placesIn(text, 'e.yaml');
    expect(placeOf('a, modules 2', 'modules')).toBe('e.yaml:5:16');
    expect(placeOf('a, modules 2', 'epochs')).toBe('e.yaml:2:32');
    expect(placeOf('x', 'epochs')).toBe('e.yaml:7:35');
    // A default stands nowhere: the place of what it is missing in.
    expect(placeOf('x', 'batch')).toBe('e.yaml:2:7');
  });

  it('has all combinations but those left out', async () => {
    const sizes = fc.integer({ min: 1, max: 4 });
    await fc.assert(
      fc.asyncProperty(sizes, sizes, sizes, async (hosts, modules, left) => {
        const host = Array.from({ length: hosts }, (_, index) => `h${index}`);
        const grid = Array.from({ length: modules }, (_, index) => index + 1);
        const rules = host.slice(0, Math.min(left, hosts) - 1).map((name) => ({ host: name, modules: 1 }));
        const text = JSON.stringify({
          name: 'x',
          base: { method: '{host}' },
          factors: { host },
          grid: { modules: grid },
          exclude: rules,
        });
        const { conditions } = await parse(text);
        expect(conditions).toHaveLength(hosts * modules - rules.length);
        expect(new Set(conditions.map(({ key }) => key)).size).toBe(conditions.length);
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    ['name: a\nbases: {}\n', /^e\.yaml:2:1: unknown key 'bases'\. Did you mean 'base'\? Allowed: name, title, .*seeds/],
    [
      'name: a\nbase:\n  epoch: 3\n',
      /^e\.yaml:3:3: unknown key 'epoch'\. Did you mean 'epochs'\? Allowed: method, modules, epochs$/,
    ],
    [
      'name: a\nbase:\n  keepBest: true\n',
      /^e\.yaml:3:3: 'keepBest' is not given here: write checkpoints: \{ keepBest: … \} in the file$/,
    ],
    [
      'name: a\nbase: { checkpointSteps: 9 }\n',
      /'checkpointSteps' .*: write checkpoints: \{ everySteps: … \} in the file$/,
    ],
    ['name: a\ngrid: { csv: [true] }\n', /'csv' is not given here: write trackers: \{ csv: … \} in the file$/],
    ['name: a\nbase:\n  seed: 3\n', /^e\.yaml:3:3: 'seed' is not given here: list seeds under 'seeds'/],
    [
      'name: a\nbase: {method: "{host}"}\nfactors:\n  host: {"a\\nb": dgl, c: greedy}\n',
      /^e\.yaml:4:3: label "a\\nb" of 'host' contains a line break or a tab/,
    ],
    [
      'name: a\nfactors:\n  host: { d: { method: dgl } }\n',
      /^e\.yaml:3:14: factors\.host\.d: expected text, or a number, or true or false; found \{"method":"dgl"\}$/,
    ],
    ['name: a\ngrid:\n  modules: [.nan, 2]\n', /^e\.yaml:3:13: modules: .*found NaN$/],
    ['name: a\nseeds: [1, -1]\n', /^e\.yaml:2:12: seeds\.1: .*≥ 0; found -1$/],
    ['name: a\ngrid:\n  modules: [1, 0]\n', /^e\.yaml:3:16: modules: .*; found 0/],
    ['name: a\nbase:\n  epochs: many\n', /^e\.yaml:3:11: epochs: .*found "many"/],
    ['name: a\ninclude:\n  - { name: b }\n  - { name: c, modules: x }\n', /^e\.yaml:4:25: modules: .*found "x"/],
    ['name: a\ninclude:\n  - { modules: 2 }\n', /^e\.yaml:3:5: .*needs a name/],
    ['name: a/b\n', /^e\.yaml:1:7: name: .*names a folder; found "a\/b"/],
    [
      'name: a\nbase: { method: "{m}" }\nfactors: { m: [dgl, dgl(head: 1c2f)] }\n',
      /^e\.yaml:3:21: factors\.m\.1: expected text.*; found \{"dgl\(head":"1c2f\)"\}; a value with a colon in it needs quotes/,
    ],
    [
      'name: a\nbase: { method: "{m}" }\nfactors: { m: [dgl, mlm(dgl, window: 3)] }\n',
      /factors\.m\.2: expected text.*; found \{"window":"3\)"\}; a value with a colon in it needs quotes: "dgl\(head: 1c2f\)"$/,
    ],
    [
      'name: a\nbase: { method: mlaan({m}) }\nfactors: { m: [dgl] }\n',
      /^e\.yaml:2:23: Unexpected flow-map-start at node end; a value with braces in it needs quotes: method: "mlaan\(\{host\}\)"/,
    ],
    [
      'name: a\nbase: { method: "{hots}" }\nfactors: { host: [x] }\n',
      /factor 'host' is used nowhere; write \{host\} into a text of 'base', in quotes: "\{host\}"$/,
    ],
    [
      'name: a\nbase: { method: "{host} {x}" }\nfactors: { host: [y] }\n',
      /^e\.yaml:2:17: method: '\{host\} \{x\}' names \{x\}\. Allowed here: \{host\}/,
    ],
    ['name: a\nbase: { method: "{m}" }\nfactors: { m: [x, x] }\n', /^e\.yaml:3:12: 'm' has the value 'x' twice/],
    [
      'name: a\nexclude: [{ modules: 3 }]\ngrid: { modules: [1, 2] }\n',
      /^e\.yaml:2:22: factor 'modules' has no value '3'\. Allowed: 1, 2/,
    ],
    ['name: a\nexclude: [{ modules: 1 }]\ngrid: { modules: [1] }\n', /nothing is left to run/],
    ['name: a\ninclude: [{ name: b }]\n', /'a' and 'b' have the same config/],
    ['name: a\ncompare: { factor: x, baseline: y }\n', /^e\.yaml:2:10: .*no factor 'x'/],
    [
      'name: a\ncompare: { factors: x, baseline: y }\n',
      /unknown key 'factors'\. Did you mean 'factor'\? Allowed: factor, baseline/,
    ],
    [
      'name: a\ntrackers:\n  mlflow: localhost:5000\n',
      /^e\.yaml:3:11: trackers\.mlflow: expected an http .*found "local/,
    ],
    [
      'name: a\ntrackers:\n  mlflow: ftp://joe:s3cret@host\n',
      /^e\.yaml:3:11: trackers\.mlflow: expected an http .*found "ftp:\/\/\*\*\*@host"$/,
    ],
    ['name: a\nreference: b\n', /^e\.yaml:2:12: .*no condition 'b'\. Allowed: 'a'/],
    [
      'name: a\nbase: { method: "{m}" }\nfactors: { m: [dgl, "mlm({m})"] }\n',
      /^e\.yaml:2:17: method: factor 'm' names itself: its text 'mlm\(\{m\}\)' contains \{m\}\. Write what \{m\} stands for/,
    ],
    [
      'name: a\nbase: { method: "{a}" }\nfactors: { a: ["{b}"], b: ["{a}"] }\n',
      /^e\.yaml:2:17: method: factor '[ab]' names itself through other factors: its text is '\{[ab]\}'/,
    ],
    ['name: a\nseeds: [1, 2, 1]\n', /^e\.yaml:2:15: 'seeds' has the value '1' twice$/],
    [
      'name: a\ninclude:\n  - { name: x, method: greedy }\n  - { name: x, method: infopro }\nreference: x\n',
      /^e\.yaml:4:\d+: there are two conditions 'x'/,
    ],
  ])('reports what is wrong, where, and what is allowed: %j', async (text, expected) => {
    const problems = await problemsOf(text);
    expect(
      problems.some((problem) => expected.test(problem)),
      problems.join('\n'),
    ).toBe(true);
  });

  it('names all problems at once, in the order of the file', async () => {
    expect(await problemsOf('name: a\nbase:\n  epoch: 3\n  methods: x\n')).toHaveLength(2);
  });

  it('passes complete configs to the check of the program', async () => {
    const check = async ({ method }: { readonly method?: unknown }) =>
      method === 'wrong' ? { key: 'method', message: 'no such method' } : undefined;
    await expect(
      parseExperiment('name: a\nbase:\n  method: "{m}"\nfactors: { m: [right, wrong] }\n', 'e.yaml', { schema, check }),
    ).rejects.toThrow(/^e\.yaml:3:11: method: no such method$/);
  });
});

describe('limits of an experiment', () => {
  const base = 'name: x\nbase: { method: "{host}" }\n';
  const list = (length: number) => JSON.stringify(Array.from({ length }, (_, index) => index + 1));

  it('reject a seed in place of the number of seeds, with the list that names it', async () => {
    expect(await problemsOf(`${base}factors: { host: [a] }\nseeds: 20240101\n`)).toEqual([
      expect.stringMatching(
        /^e\.yaml:4:8: seeds: at most 10000 seeds per condition .*a list names seeds: \[20240101\]/,
      ),
    ]);
    expect((await parse(`${base}factors: { host: [a] }\nseeds: [20240101]\n`)).seeds).toEqual([20240101]);
  });

  it('reject a grid of 180,000 conditions with its count, before creating any', async () => {
    const grid = `grid: { modules: ${list(300)}, epochs: ${list(300)} }\n`;
    expect(await problemsOf(`${base}factors: { host: [a, b] }\n${grid}`)).toEqual([
      expect.stringMatching(
        /^e\.yaml:4:1: 180,000 combinations \(host: 2, modules: 300, epochs: 300\); allowed: 10,000\. Remove values/,
      ),
    ]);
    const factors = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [name, JSON.parse(list(100))]));
    expect(await problemsOf(`${base}factors: ${JSON.stringify(factors)}\n`)).toEqual([
      expect.stringMatching(/100,000,000 combinations/),
    ]);
  });

  it('reject 200,000 runs', async () => {
    expect(await problemsOf(`${base}factors: { host: ${list(200)} }\nseeds: 1000\n`)).toEqual([
      expect.stringMatching(/^e\.yaml:4:1: 200 conditions with 1,000 seeds each are 200,000 runs; allowed: 100,000/),
    ]);
  });

  it('reject texts that double', async () => {
    const factors = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`f${index}`, [`{f${index + 1}}{f${index + 1}}`]]),
    );
    const text = JSON.stringify({ name: 'x', base: { method: '{f0}' }, factors: { ...factors, f40: ['x'] } });
    expect(await problemsOf(text)).toEqual([
      expect.stringMatching(/more than 10000 characters once factors are filled/),
    ]);
  });

  it('leave {constructor} a place without a factor, whatever objects inherit', async () => {
    expect(await problemsOf('name: x\nbase: { method: "{host} {constructor}" }\nfactors: { host: [a] }\n')).toEqual([
      expect.stringMatching(/names \{constructor\}\. Allowed here: \{host\}/),
    ]);
  });

  it('take over keys with <<', async () => {
    const { conditions } = await parse(
      'name: x\nbase: { <<: { epochs: 1 }, method: "{host}" }\nfactors: { host: [a] }\nseeds: 1\n',
    );
    expect(conditions[0]?.config).toMatchObject({ epochs: 1, method: 'a' });
  });

  it('keep control characters out of labels', async () => {
    expect(await problemsOf(`${base}factors: { host: ["\\e[2J"] }\n`)).toEqual([
      expect.stringMatching(/^e\.yaml:3:19: '\\x1b\[2J' contains a control character/),
    ]);
  });
});
