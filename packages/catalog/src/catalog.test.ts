import { type JsonObject, LocalgradError, type LocalLearningMethod } from '@localgrad/core';
import { datasetNames } from '@localgrad/data';
import { headNames } from '@localgrad/nn/heads';
import { describe, expect, it } from 'vitest';
import { createCatalog } from './catalog.js';
import { endToEndMethod, standardCatalog } from './standard-catalog.js';

const catalog = standardCatalog;

describe('option names of the standard catalog', () => {
  const written = (table: 'methods' | 'decorators', name: string, option: string) =>
    table === 'methods' ? `${name}("${option}": nonsense)` : `${name}(greedy, "${option}": nonsense)`;
  const errorOf = (expression: string): LocalgradError | undefined => {
    try {
      catalog.method(expression);
    } catch (error) {
      if (LocalgradError.isInstance(error)) return error;
      throw error;
    }
    return undefined;
  };
  const entries = (['methods', 'decorators'] as const).flatMap((table) =>
    catalog.names(table).map((name) => [table, name, catalog.entry(table, name)?.options ?? []] as const),
  );

  it.each(entries)('%s: %s takes the options that its entry lists, and no others', (table, name, options) => {
    const unknown = errorOf(written(table, name, 'no such option'));
    expect(unknown?.code).toBe('unknown-name');
    const { allowed = [] } = unknown?.details ?? {};
    expect(options).toEqual(expect.arrayContaining(Array.isArray(allowed) ? allowed : []));
    for (const option of options) {
      const message = errorOf(written(table, name, option))?.message ?? '';
      expect(message).not.toMatch(/Unknown option|has no options/);
    }
  });
});

describe('method', () => {
  it.each<[string, string, JsonObject]>([
    ['dgl(head: 1c2f)', 'dgl', { method: 'dgl', head: '1c2f' }],
    ['infopro(ixx1: 5)', 'infopro', { method: 'infopro', ixx1: 5 }],
    ['mlm(greedy, window: 3)', 'mlm(greedy)', { decorator: 'mlm', of: { method: 'greedy' }, window: 3 }],
    [
      'lam(mlm(greedy), momentum: 0.9)',
      'lam(mlm(greedy))',
      { decorator: 'lam', of: { decorator: 'mlm', of: { method: 'greedy' } }, momentum: 0.9 },
    ],
    [
      'lam(greedy, leap: [[[2, 0], [3, 0]], [[3, 0]], []])',
      'lam(greedy)',
      {
        decorator: 'lam',
        of: { method: 'greedy' },
        leap: [
          [
            [2, 0],
            [3, 0],
          ],
          [[3, 0]],
          [],
        ],
      },
    ],
    [
      'mlaan(infopro, variant: officialCode)',
      'mlaan(infopro)',
      { decorator: 'mlaan', of: { method: 'infopro' }, variant: 'officialCode' },
    ],
  ])('creates %s, and recreates it from its config', (text, name, config) => {
    const method = catalog.method(text);
    expect(method.name).toBe(name);
    expect(method.config).toEqual(config);
    const again = catalog.method(JSON.parse(JSON.stringify(method.config)) as JsonObject);
    expect([again.name, again.config]).toEqual([name, config]);
  });

  it.each([
    ['mlm', 'invalid-option', "'mlm' is a decorator and needs a method to wrap"],
    ['dgl(greedy)', 'invalid-option', "Method 'dgl' cannot wrap 'greedy': it is not a decorator. Decorators: mlm"],
    ['lam(mlm)', 'invalid-option', "'mlm' is a decorator and needs a method"],
    ['mlamm(dgl)', 'unknown-name', "Unknown method 'mlamm'. Did you mean 'lam'?"],
    ['constructor', 'unknown-name', 'Allowed: backprop, greedy, dgl, infopro, '],
    ['greedy(head: 1c2f)', 'unknown-name', "Method 'greedy' has no options; found 'head'."],
    ['mlm(dgl, window: 0)', 'invalid-option', 'integers ≥ 1'],
    ['mlaan(dgl, momentum: 2)', 'invalid-option', 'numbers from 0 to 1'],
    ['lam(greedy, leap: [[1], 2])', 'invalid-option', 'for each module a list of [stage, index]'],
    ['acme-own', 'unknown-name', "Unknown method 'acme-own'"],
  ])('rejects %s', (text, code, message) => {
    expect(() => catalog.method(text)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });

  it.each<[JsonObject]>([
    [{}],
    [{ method: 'dgl', of: { method: 'greedy' } }],
    [{ decorator: 'mlm' }],
    [{ method: 'dgl', decorator: 'mlm' }],
    [{ decorator: 'mlm', of: 'dgl' }],
  ])('rejects the config %j', (config) => {
    expect(() => catalog.method(config)).toThrow(/is not a method config; allowed: \{ method: name/);
  });
});

describe('standardCatalog', () => {
  it('has a one-line description for every entry', () => {
    for (const table of [
      'methods',
      'decorators',
      'backbones',
      'datasets',
      'heads',
      'optimizers',
      'schedules',
    ] as const) {
      expect(catalog.names(table).length).toBeGreaterThan(0);
      for (const name of catalog.names(table)) expect(catalog.entry(table, name)?.description).toMatch(/^[^\n]+\.$/);
    }
    expect(catalog.names('heads')).toEqual(headNames);
    expect(catalog.names('methods')).toContain(endToEndMethod);
  });

  it.each(['schedules', 'optimizers', 'decorators'] as const)('names the options that its %s have', (table) => {
    const host = catalog.method('greedy');
    for (const name of catalog.names(table)) {
      const entry = catalog.entry(table, name);
      const create = entry?.create as (...given: unknown[]) => unknown;
      const given = { learningRate: 1, nonsense: 1 };
      const own = () => (table === 'decorators' ? create(host, { nonsense: 1 }) : create(given, { name, catalog }));
      const listed = [...(entry?.options ?? [])].sort();
      const allowed = /Allowed: (.*)\.$/.exec(messageOfError(own))?.[1]?.split(', ').sort();
      expect([name, allowed], name).toEqual([name, listed]);
    }
  });

  it('creates things of every kind from expressions', async () => {
    expect(catalog.backbone('resnet32(width: 8)').config).toEqual({ backbone: 'resnet32', widths: [8, 8, 16, 32] });
    expect(catalog.backbone('resnet26').name).toBe('resnet26');
    expect(catalog.backbone('tiny', { width: undefined }).name).toBe('tiny');
    expect(catalog.head('1c2f(widen: 2)').config).toEqual({ head: '1c2f', widen: 2 });
    const optimizer = catalog.optimizer('sgd(momentum: 0.5)', { learningRate: 0.1 });
    expect(optimizer.config).toMatchObject({ optimizer: 'sgd', learningRate: 0.1, momentum: 0.5 });
    optimizer.dispose();
    expect(catalog.schedule('stepDecay(milestones: [2, 3])', { learningRate: 1 }).config).toEqual({
      schedule: 'stepDecay',
      learningRate: 1,
      milestones: [2, 3],
      factor: 0.1,
    });
    expect((await catalog.dataset('fashion-mnist-subset(train: 20)')).train.size).toBe(20);
  });

  it.each<[string, () => unknown, string, string]>([
    ['a backbone', () => catalog.backbone('resent32'), 'unknown-name', "Did you mean 'resnet32'? Allowed: resnet18, "],
    ['a head', () => catalog.head('1c2g'), 'unknown-name', "Unknown head '1c2g'. Did you mean '1c2f'?"],
    ['an optimizer', () => catalog.optimizer('sdg'), 'unknown-name', "Unknown optimizer 'sdg'. Did you mean 'sgd'?"],
    [
      'a schedule',
      () => catalog.schedule('cosin'),
      'unknown-name',
      'Allowed: constant, epochCosine, cosine, stepDecay, polynomial.',
    ],
    [
      'an option of a schedule',
      () => catalog.schedule('constant', { learningRate: 1, warmup: 0.1 }),
      'unknown-name',
      "Unknown option of schedule 'constant' 'warmup'. Allowed: learningRate.",
    ],
    [
      'an option that is set twice',
      () => catalog.backbone('resnet8(width: 2)', { width: 4 }),
      'invalid-option',
      "'width' is set twice: in the backbone 'resnet8(width: 2)' and separately.",
    ],
    ['a wrapped backbone', () => catalog.backbone('resnet8(tiny)'), 'invalid-option', 'takes options only'],
  ])('rejects %s', (_, create, code, message) => {
    expect(create).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });

  it('contains every data set of the data package', () => {
    expect([...catalog.names('datasets')].sort()).toEqual([...datasetNames].sort());
  });

  it('rejects an unknown data set with the allowed names', async () => {
    await expect(catalog.dataset('photographs')).rejects.toThrow(/^Unknown data set 'photographs'\. Allowed: .*stl10/);
  });
});

describe('with', () => {
  const own = (options: JsonObject): LocalLearningMethod => ({
    ...catalog.method('greedy'),
    name: 'own',
    config: { method: 'own', ...options },
  });

  it('returns an extended catalog without changing the original', () => {
    const extended = catalog.with({ methods: { own } });
    expect(extended.method('mlm(own(depth: 2))').config).toEqual({
      decorator: 'mlm',
      of: { method: 'own', depth: 2 },
    });
    expect(extended.method('dgl').name).toBe('dgl');
    expect(() => catalog.method('own')).toThrow(/Unknown method 'own'/);
  });

  it('replaces an entry, and extends an empty catalog', () => {
    const replaced = createCatalog({}).with({ methods: { dgl: { description: 'Mine.', create: own } } });
    expect(replaced.method('dgl').name).toBe('own');
    expect(replaced.entry('methods', 'dgl')?.description).toBe('Mine.');
    expect(() => replaced.method('greedy')).toThrow('Allowed: dgl.');
    expect(() => replaced.backbone('resnet8')).toThrow('Allowed: none.');
  });

  it('makes new heads available to dgl by name', () => {
    const extended = catalog.with({ heads: { wide: () => ({ ...catalog.head('1c2f(widen: 3)'), name: 'wide' }) } });
    const method = extended.method('dgl(head: wide)');
    expect(method.config).toEqual({ method: 'dgl', head: 'wide' });
    expect(extended.method(method.config).config).toEqual(method.config);
    expect(() => extended.method('dgl(head: wide, widen: 2)')).toThrow(/option 'widen' is for heads of localgrad/);
  });
});

function messageOfError(create: () => unknown): string {
  try {
    create();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}
