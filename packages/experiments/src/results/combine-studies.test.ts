import { describe, expect, it } from 'vitest';
import { combineStudies } from './combine-studies.js';
import type { Condition, FinishedRun, Study } from './study.js';

const run = (seed: number, folder: string, testAccuracy = 0.5) =>
  ({ seed, folder, summary: { status: 'finished', testAccuracy, epochs: [] } }) as unknown as FinishedRun;

const condition = (name: string, key: string, seeds: number[], folder: string): Condition => ({
  name,
  key,
  labels: { host: name },
  config: {},
  seeds,
  runs: seeds.map((seed) => run(seed, folder)),
});

const study = (name: string, conditions: readonly Condition[], more: Partial<Study> = {}): Study => ({
  name,
  title: name,
  description: '',
  factors: ['host'],
  conditions,
  compare: { factor: 'host', baseline: 'a' },
  reference: null,
  source: `name: ${name}\n`,
  commands: [`run ${name}`],
  ...more,
});

const combine = (...studies: Study[]) => combineStudies(studies.map((one) => ({ label: one.name, study: one })));

describe('combineStudies', () => {
  it('returns a single study unchanged', () => {
    const only = study('one', [condition('a', 'k', [1], 'x')]);
    expect(combine(only)).toEqual({ study: only, notices: [] });
  });

  it('merges the runs of equal conditions, and counts each seed once', () => {
    const { study: both, notices } = combine(
      study('one', [condition('a', 'k', [2, 1], 'first'), condition('b', 'l', [1], 'first')]),
      study('two', [condition('a', 'k', [2, 3], 'second')]),
    );
    expect(notices).toEqual([]);
    expect(both.conditions.map(({ name, seeds }) => [name, seeds])).toEqual([
      ['a', [1, 2, 3]],
      ['b', [1]],
    ]);
    expect(both.conditions[0]?.runs.map(({ seed, folder }) => [seed, folder])).toEqual([
      [1, 'first'],
      [2, 'first'],
      [3, 'second'],
    ]);
    expect(both).toMatchObject({ name: 'one+two', factors: ['host'], compare: { factor: 'host', baseline: 'a' } });
    expect(both.source).toBe('# one\nname: one\n\n# two\nname: two\n');
  });

  it('labels conditions with their sweep where different ones have the same name', () => {
    const { study: both } = combine(
      study('short', [condition('a', 'k3', [1], 'x'), condition('b', 'l3', [1], 'x')]),
      study('long', [condition('a', 'k12', [1], 'y')]),
    );
    expect(both.factors).toEqual(['sweep', 'host']);
    expect(both.conditions.map(({ name, labels }) => [name, labels.sweep])).toEqual([
      ['short: a', 'short'],
      ['short: b', 'short'],
      ['long: a', 'long'],
    ]);
  });

  it('omits comparisons that the sweeps do not agree on, and says so', () => {
    const { study: both, notices } = combine(
      study('one', [condition('a', 'k', [1], 'x')], { reference: 'k' }),
      study('two', [condition('b', 'l', [1], 'y')], { compare: { factor: 'host', baseline: 'b' } }),
    );
    expect([both.compare, both.reference]).toEqual([null, 'k']);
    expect(notices).toEqual(['The sweeps have different comparisons, so that none is reported.']);
  });

  it('reports that runs with the same seed have different results, and keeps the first', () => {
    const other = { ...condition('a', 'k', [1, 2], 'y'), runs: [run(1, 'y', 0.6), run(2, 'y', 0.6)] };
    const { study: both, notices } = combine(study('one', [condition('a', 'k', [1], 'x')]), study('two', [other]));
    expect(notices).toEqual([
      "Condition 'a' has different results with seed 1 in the sweeps 'one' (50.00 %) and 'two' (60.00 %). The report contains the first one.",
    ]);
    expect(both.conditions[0]?.runs.map(({ folder }) => folder)).toEqual(['x', 'y']);
  });
});

describe('combineStudies, for runs of one condition with different inputs,', () => {
  const images = { images: 40, shape: [8, 8, 1], classes: 10, pixels: 'p', labels: 'l', targets: {} };
  const identity = {
    formatVersion: 1,
    runId: 'r',
    schemaVersion: 1,
    config: {},
    modules: [{ name: './own.mjs', kind: 'file', version: null, hash: 'before' }],
    training: images,
    test: images,
    initialWeights: 'w',
  } as const;
  const part = (name: string, seed: number, changed: object | undefined) =>
    study(name, [
      {
        ...condition('own', 'k', [seed], name),
        runs: [{ ...run(seed, name), ...(changed === undefined ? {} : { identity: { ...identity, ...changed } }) }],
      },
    ]);

  it.each([
    ["file './own.mjs' has changed", { modules: [{ ...identity.modules[0], hash: 'after' }] }],
    ['training images differ: 40 images with other pixels', { training: { ...images, pixels: 'q' } }],
    ['test images: 40 there, 50 here', { test: { ...images, images: 50 } }],
    ['the initial weights have changed', { initialWeights: 'v' }],
  ])('names the sweeps and the cure: %s', (difference, changed) => {
    expect(() => combine(part('e3', 1, {}), part('e4', 2, changed))).toThrow(
      `The runs of condition 'own' had different inputs, so that they have no common mean: ${difference}. Compared: seed 1 of sweep 'e3' (there: e3) and seed 2 of sweep 'e4' (here: e4). Report the sweeps separately, or run one of them again with the inputs of the other, in a new --folder.`,
    );
  });

  it('rejects them within one sweep, too', () => {
    const [one, two] = [part('e', 1, {}), part('e', 2, { initialWeights: null })].map(({ conditions: [own] }) => own);
    const mixed = { ...condition('own', 'k', [1, 2], 'e'), runs: [...(one?.runs ?? []), ...(two?.runs ?? [])] };
    expect(() => combine(study('e', [mixed]))).toThrow(
      'Remove the folder of each outdated run and run the sweep again.',
    );
  });

  it('merges runs of the same inputs, and those of versions that did not record them', () => {
    const { study: both } = combine(part('e3', 1, {}), part('e4', 2, { runId: 's' }), part('e5', 3, undefined));
    expect(both.conditions[0]?.runs.map(({ seed }) => seed)).toEqual([1, 2, 3]);
  });
});

describe('combineStudies, where conditions choose values,', () => {
  const config = (learningRate: number, epochs = 2) => ({ epochs, learningRate });
  const candidate = (rate: number, seeds: number[], tuneSeeds?: number[], epochs?: number): Condition => ({
    ...condition(`DGL, learningRate ${rate}`, `dgl-${rate}-${epochs}`, seeds, 'x'),
    setting: 'DGL',
    config: config(rate, epochs),
    labels: { learningRate: String(rate) },
    tuneSeeds,
  });
  const plain = (rate: number, seeds: number[], epochs?: number): Condition => ({
    ...condition('DGL', `dgl-${rate}-${epochs}`, seeds, 'y'),
    config: config(rate, epochs),
    labels: {},
  });
  const tuned = (name: string, conditions: Condition[]) => study(name, conditions, { tune: ['learningRate'] });
  const choicesOf = ({ study: { conditions } }: ReturnType<typeof combine>) =>
    conditions.map(({ key, setting, seeds, tuneSeeds }) => [key, setting, seeds, tuneSeeds]);

  it('keeps the seeds that choose, whatever seeds a sweep without choices adds', () => {
    const sweep = tuned('one', [candidate(0.1, [1, 2], [1]), candidate(0.3, [1, 2], [1])]);
    const more = study('two', [plain(0.1, [1, 2, 3])]);
    for (const both of [combine(sweep, more), combine(more, sweep)]) {
      expect(choicesOf(both)).toEqual([
        ['dgl-0.1-undefined', 'DGL', [1, 2, 3], [1]],
        ['dgl-0.3-undefined', 'DGL', [1, 2], [1]],
      ]);
    }
  });

  it('chooses with the seeds of all sweeps that choose among the same values', () => {
    const both = combine(
      tuned('one', [candidate(0.1, [1, 2], [1]), candidate(0.3, [1, 2], [1])]),
      tuned('two', [candidate(0.1, [3]), candidate(0.3, [3])]),
    );
    expect(choicesOf(both).map(([, , , tuneSeeds]) => tuneSeeds)).toEqual([
      [1, 3],
      [1, 3],
    ]);
  });

  it('chooses with common seeds among values of different sweeps, and rejects values without any', () => {
    const first = tuned('one', [candidate(0.1, [1, 2]), candidate(0.3, [1, 2])]);
    const both = combine(first, tuned('two', [candidate(0.3, [2, 3]), candidate(1, [2, 3])]));
    expect(choicesOf(both).map(([, , , tuneSeeds]) => tuneSeeds)).toEqual([[2], [2], [2]]);
    expect(() => combine(first, tuned('two', [candidate(1, [3]), candidate(3, [3])]))).toThrow(
      "no seed has run with all values that 'DGL' may choose from ('DGL, learningRate 0.1', 'DGL, learningRate 0.3', 'DGL, learningRate 1', 'DGL, learningRate 3').",
    );
  });

  it('keeps settings apart that differ in more than the chosen values', () => {
    const sweep = tuned('one', [candidate(0.1, [1]), candidate(0.3, [1])]);
    const longer = tuned('two', [candidate(1, [1], [1], 12), candidate(3, [1], [1], 12)]);
    for (const other of [longer, study('two', [plain(1, [1])])]) {
      const settings = combine(sweep, other).study.conditions.map(({ setting, name }) => setting ?? name);
      expect(new Set(settings)).toEqual(new Set(['one: DGL', 'two: DGL']));
    }
  });
});
