import { parseExperiment } from '@localgrad/experiments';
import { runConfigSchema } from '@localgrad/runs';
import { describe, expect, it } from 'vitest';
import { accept, complete, type Suggestion, toggleDecorator } from './completion.js';
import { experimentFile } from './experiment-file.js';
import { defaultSettings, defaultShared, type Settings } from './settings.js';
import { fromQuery, toQuery } from './url.js';

const settings: Settings = {
  shared: {
    ...defaultShared,
    epochs: 2,
    seed: 5,
    learningRate: 0.05,
    trainImages: 500,
    threads: 2,
    relaxedSimd: false,
  },
  runs: [
    { method: 'lam(mlm(dgl(head: "1c2f")), leap: [[1, 3]])', modules: 4 },
    { method: 'backprop', modules: 1 },
  ],
};

describe('the query of the address', () => {
  it.each([settings, defaultSettings, { ...settings, runs: settings.runs.slice(0, 1) }])(
    'restores the settings %#',
    (one) => {
      expect(fromQuery(toQuery(one))).toEqual(one);
    },
  );

  it('ignores values that are not allowed', () => {
    const broken = '?method=dgl&modules=0&epochs=1e9&batch=2.5&threads=none&dataset=other&learningRate=-1&width=';
    expect(fromQuery(broken)).toEqual({ shared: defaultShared, runs: [{ method: 'dgl', modules: 7 }] });
  });
});

describe('the experiment file', () => {
  it('contains both runs with all their settings', async () => {
    const { conditions, seeds } = await parseExperiment(experimentFile(settings), 'playground.yaml', {
      schema: runConfigSchema,
    });
    expect(seeds).toEqual([5]);
    expect(conditions.map(({ name }) => name)).toEqual([
      'A: lam(mlm(dgl(head: "1c2f")), leap: [[1, 3]]), K = 4',
      'B: backprop, K = 1',
    ]);
    const { seed: _, ...shared } = settings.shared;
    for (const [index, { config }] of conditions.entries()) {
      const expected = { ...settings.runs[index], ...shared, backend: 'wasm', weightDecay: 1e-4, schedule: 'cosine' };
      // The subset has 1,000 test images.
      const { testImages: __, ...compared } = expected;
      expect(config).toMatchObject(compared);
    }
  });
});

describe('completion', () => {
  const names: readonly Suggestion[] = [
    { name: 'dgl', kind: 'method', description: '', options: ['head', 'widen'] },
    { name: 'mlm', kind: 'decorator', description: '', options: ['window', 'within'] },
    { name: 'mlaan', kind: 'decorator', description: '' },
    { name: 'dgl-mlp', kind: 'head', description: '' },
  ];
  const at = (text: string) => {
    const cursor = text.indexOf('|');
    const clean = text.replace('|', '');
    return { clean, completion: complete(clean, cursor, names) };
  };

  it.each([
    ['|', ['dgl', 'mlm', 'mlaan']],
    ['ml|', ['mlm', 'mlaan']],
    ['mlm(d|)', ['dgl']],
    ['mlm(|)', ['dgl', 'mlm', 'mlaan']],
    ['mlm(dgl, |)', ['window', 'within']],
    ['mlm(dgl, wi|', ['window', 'within']],
    ['mlm(dgl, wi|, window: 2)', ['within']],
    ['mlm(dgl, window: 2,|)', ['within']],
    ['mlm(dgl, w|indow: 2)', ['window', 'within']],
    ['mlm(dgl, window: |)', []],
    ['mlm(dgl, leap: [[1, |]])', []],
    ['mlm(dgl(head: "x, y"), |', ['window', 'within']],
    ['mlm(dgl(head: "x, |"))', []],
    ['mlm(dgl(head: "x, |', []],
    ['mlm(dgl(|), window: 2)', ['head', 'widen']],
    ['mlm(dgl(h|), window: 2)', ['head']],
    ['mlaan(dgl, |)', []],
    ['own(|)', ['dgl', 'mlm', 'mlaan']],
    ['dgl(head: |)', ['dgl-mlp']],
    ['dgl(head: d|', ['dgl-mlp']],
    ['x|', []],
  ])('suggests for %s', (text, expected) => {
    expect(at(text).completion.suggestions.map(({ name }) => name)).toEqual(expected);
  });

  it('puts the cursor inside an accepted decorator, around what follows', () => {
    const { clean, completion } = at('ml|');
    const [mlm] = completion.suggestions;
    if (mlm === undefined) throw new Error('Nothing was suggested.');
    expect(accept(clean, completion, mlm)).toEqual({ text: 'mlm()', cursor: 4 });
  });

  it('writes the colon of an accepted option, once', () => {
    const accepted = (text: string) => {
      const { clean, completion } = at(text);
      const [first] = completion.suggestions;
      if (first === undefined) throw new Error('Nothing was suggested.');
      return accept(clean, completion, first);
    };
    expect(accepted('mlm(dgl, wi|)')).toEqual({ text: 'mlm(dgl, window: )', cursor: 17 });
    expect(accepted('mlm(dgl,|)')).toEqual({ text: 'mlm(dgl, window: )', cursor: 17 });
    expect(accepted('mlm(dgl, w|: 3)')).toEqual({ text: 'mlm(dgl, window: 3)', cursor: 15 });
  });

  it('wraps a method in a decorator, and unwraps it', () => {
    expect(toggleDecorator('dgl', 'mlm')).toBe('mlm(dgl)');
    expect(toggleDecorator('mlm(dgl)', 'mlm')).toBe('dgl');
    expect(toggleDecorator('mlm(dgl)', 'lam')).toBe('lam(mlm(dgl))');
  });
});
