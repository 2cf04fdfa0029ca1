import { cifarResNet, mlp } from '@localgrad/backbones';
import {
  createNetwork,
  type Head,
  type Network,
  type Parameter,
  resolvePartition,
  type Shape3,
  startOfTraining,
  trainingMode,
} from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan, createExecutor, createLiteralExecutor, describePlan } from '@localgrad/engine';
import { infopro } from '@localgrad/infopro';
import { mlm } from '@localgrad/mlm';
import { headCostOf } from '@localgrad/nn/cost';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type LamOptions, lam } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const host = dgl({ head: '0c1f' });

function setUp(options: LamOptions, { of = host, modules = 7, side = 8, depth = 14 } = {}) {
  const scope = createScope(1);
  const backbone = cifarResNet({ depth, widths: [2, 2, 4, 8] }).build({
    inputShape: [side, side, 3],
    classes: 3,
    scope,
  });
  const network: Network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules, stemModule: 'own' }));
  const compiled = compilePlan(network, lam(of, options).plan(network), { scope });
  const headOf = (module: number): Head => {
    const found = compiled.heads.get(module)?.[0]?.head;
    if (found === undefined) throw new Error(`no head on module ${module}`);
    return found;
  };
  return { network, compiled, headOf };
}

const batchOf = (side = 8) => ({
  images: tf.randomNormal<tf.Rank.R4>([4, side, side, 3], 0, 1, 'float32', 2),
  targets: {
    labels: tf.tensor1d([0, 1, 2, 0], 'int32'),
    images: tf.randomUniform<tf.Rank.R4>([4, side, side, 3], 0, 1, 'float32', 3),
  },
});

/** Gradients of a step by parameter, as plain numbers. */
function gradientsOf({ compiled }: ReturnType<typeof setUp>, create = createExecutor): Map<string, number[]> {
  const found = new Map<string, number[]>();
  const { losses, terms } = create(compiled).step(batchOf(), {
    onGradients: (gradients) => {
      for (const { parameter, gradient } of gradients) {
        expect(found.has(parameter.name)).toBe(false);
        found.set(parameter.name, Array.from(gradient.dataSync()));
        gradient.dispose();
      }
    },
  });
  tf.dispose([...losses.values(), ...terms.values()]);
  return found;
}

function expectClose(found: readonly number[] | undefined, expected: readonly number[] | undefined): void {
  expect(found?.length).toBe(expected?.length);
  const scale = Math.max(1e-3, ...(expected ?? []).map(Math.abs));
  for (const [index, value] of (expected ?? []).entries()) {
    expect(Math.abs((found?.[index] ?? Number.NaN) - value) / scale).toBeLessThan(1e-4);
  }
}

const evaluate = (head: Head, h: tf.Tensor4D, weight = 1) =>
  head.evaluate(h, batchOf().targets, {
    mode: { ...trainingMode, statisticsUpdates: 0 },
    weight,
    input: true,
    clock: startOfTraining,
  });

describe('chainPool', () => {
  it('costs 1/p² of the chain, and keeps its weights', () => {
    const [full, pooled] = [setUp({ emaBlocks: 'none' }), setUp({ emaBlocks: 'none', chainPool: 2 })];
    const names = (head: Head) => head.parameters.map(({ name, shape }) => `${name} ${shape.join('x')}`);
    for (const module of [0, 1, 2, 4]) {
      const [whole, small] = [full.headOf(module), pooled.headOf(module)];
      expect(names(small)).toEqual(names(whole));
      // The classifier behind the chain costs the same: 8 features, 3 classes.
      const own = headCostOf(whole).multiplyAccumulates - 24;
      expect(headCostOf(small).multiplyAccumulates - 24).toBeCloseTo(own / 4, 6);
    }
    const live = full.compiled.parameters.get('layer2.0.conv1.weight')?.value.dataSync();
    expect(pooled.compiled.parameters.get('heads.module0.leap.augmented.0.conv1.weight')?.value.dataSync()).toEqual(
      live,
    );
  });

  it('reads means of p×p windows, and spreads the cotangent over them', () => {
    const head = setUp({ chainPool: 2 }).headOf(1);
    const h = tf.randomNormal<tf.Rank.R4>([4, 8, 8, 2], 0, 1, 'float32', 4);
    const means = tf.avgPool(h, 2, 2, 'valid');
    const spread = tf.tidy(() =>
      tf.tile(tf.reshape(means, [4, 4, 1, 4, 1, 2]), [1, 1, 2, 1, 2, 1]).reshape<tf.Tensor4D>([4, 8, 8, 2]),
    );
    const [own, even] = [evaluate(head, h, 2), evaluate(head, spread, 2)];
    expectClose(Array.from(own.loss.dataSync()), Array.from(even.loss.dataSync()));
    if (own.input === undefined || even.input === undefined) throw new Error('no cotangent');
    expectClose(Array.from(own.input.dataSync()), Array.from(even.input.dataSync()));
    // Finite differences in one direction.
    const along = tf.randomNormal<tf.Rank.R4>(h.shape, 0, 1, 'float32', 5);
    const slope = tf.sum(tf.mul(along, own.input)).dataSync()[0] ?? Number.NaN;
    const valueAt = (amount: number) =>
      evaluate(head, tf.add(h, tf.mul(along, amount))).loss.dataSync()[0] ?? Number.NaN;
    const errors = [3e-3, 1e-3].map((step) => Math.abs((2 * (valueAt(step) - valueAt(-step))) / (2 * step) - slope));
    expect(Math.min(...errors)).toBeLessThan(1e-2 * Math.max(1, Math.abs(slope)));
  });

  it('predicts less work, and names itself in explain', () => {
    const description = (options: LamOptions) => describePlan(setUp(options).compiled, 4);
    const [full, pooled] = [description({}), description({ chainPool: 2 })];
    expect(pooled.totals.unitsOfWork).toBeLessThan(full.totals.unitsOfWork);
    expect(pooled.totals.predictedPeakBytes).toBeLessThan(full.totals.predictedPeakBytes);
    expect(pooled.totals.parameters).toBe(full.totals.parameters);
    expect(pooled.objectives[0]?.head).toBe('leap/2+0c1f');
    // Averaged copies have no weight gradient, at the pooled size too: what pooling saves is a fraction of both.
    const plain = description({ emaBlocks: 'none' }).totals.unitsOfWork;
    const lean = description({ emaBlocks: 'none', chainPool: 2 }).totals.unitsOfWork;
    expect((pooled.totals.unitsOfWork - lean) / (full.totals.unitsOfWork - plain)).toBeCloseTo(1 / 4, 6);
  });

  it.each<[LamOptions, object, RegExp]>([
    [{ chainPool: 0 }, {}, /chainPool.*integers ≥ 1/],
    [
      { chainPool: 3 },
      {},
      /'chainPool' is 3, but the chain after module \(0,0\) reduces maps of 8×8 by 4; allowed: divisors/,
    ],
    [{ chainPool: 4 }, {}, /allowed: divisors of both sides up to a 4th of them/],
  ])('rejects %j', (options, more, message) => {
    expect(() => setUp(options, more)).toThrow(message);
  });

  it('runs on maps that the strides ahead do not divide, like the network itself', () => {
    // Maps of 6×6 become 3×3 by pooling, and 2×2 by the stride of stage 3.
    const { headOf } = setUp({ chainPool: 2 }, { side: 12, modules: 3 });
    const { input } = evaluate(headOf(1), tf.randomNormal<tf.Rank.R4>([4, 6, 6, 4], 0, 1, 'float32', 4));
    expect(input?.shape).toEqual([4, 6, 6, 4]);
  });

  it('rejects blocks without other resolutions', () => {
    const scope = createScope(1);
    const backbone = mlp({ layers: 3, width: 6 }).build({ inputShape: [4, 4, 1] satisfies Shape3, classes: 3, scope });
    const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 3 }));
    expect(() => lam(host, { chainPool: 2 }).plan(network)).toThrow(/needs blocks that exist for other resolutions/);
  });
});

describe("emaBlocks: 'none'", () => {
  it('has no averages, and otherwise the weights and work of a plain chain', () => {
    const { compiled } = setUp({ emaBlocks: 'none' });
    expect(compiled.averages).toEqual([]);
    expect([...compiled.parameters.keys()].filter((name) => name.includes('.ema.'))).toEqual([]);
    const chain = describePlan(compiled, 4).objectives[0]?.chain;
    expect(chain?.blocks.map(({ learnable, averaged }) => [learnable, averaged])).toContainEqual([true, false]);
    expect(chain?.blocks.some(({ averaged }) => averaged)).toBe(false);
  });

  it.each<[LamOptions, RegExp]>([
    [{ emaBlocks: 'none', chain: 'ema' }, /emaBlocks: 'none' excludes chain: 'ema', which has only averaged copies/],
    [{ emaBlocks: 'none', scale: 'learned' }, /excludes scale: 'learned'/],
    [{ emaBlocks: 'none', emaTrainable: true }, /excludes emaTrainable: true/],
  ])('rejects %j', (options, message) => {
    expect(() => lam(host, options)).toThrow(message);
  });
});

describe("share: 'stage'", () => {
  const options: LamOptions = { emaBlocks: 'none', share: 'stage' };
  const weightsOf = (head: Head): readonly Parameter[] => head.parameters;

  it('gives heads behind equal chains one set of weights, and statistics of their own', () => {
    const { compiled, headOf } = setUp(options);
    // Modules 1 and 2 lie in stage 1; module 0, the stem, has maps of the same shape and the same chain.
    expect(weightsOf(headOf(1))).toEqual(weightsOf(headOf(2)));
    expect(weightsOf(headOf(0))).toEqual(weightsOf(headOf(1)));
    expect(weightsOf(headOf(3))).not.toEqual(weightsOf(headOf(2)));
    expect(headOf(1).statistics.some((one) => headOf(2).statistics.includes(one))).toBe(false);
    const separate = setUp({ ...options, share: 'none' });
    expect(describePlan(compiled, 4).totals.parameters).toBeLessThan(
      describePlan(separate.compiled, 4).totals.parameters,
    );
    expect(describePlan(compiled, 4).totals.unitsOfWork).toBe(describePlan(separate.compiled, 4).totals.unitsOfWork);
    expect(describePlan(compiled, 4).objectives[1]?.shares).toEqual({ key: 'leap0', scale: 'mean' });
  });

  it('adds up the gradients of separate chains with equal weights, or takes their mean', () => {
    const sum = setUp({ ...options, shareScale: 'sum' });
    const separate = setUp({ ...options, share: 'none' });
    for (const [name, parameter] of separate.compiled.parameters) {
      const module = Number(/^heads\.module(\d)/.exec(name)?.[1]);
      if (Number.isNaN(module)) continue;
      const key = `heads.leap${[0, 0, 0, 1, 1, 2][module] ?? ''}.`;
      const shared = sum.compiled.parameters.get(name.replace(/^heads\.module\d\.leap\./, key));
      if (shared !== undefined && parameter.kind === 'weight') parameter.assign(shared.value.clone());
    }
    const apart = gradientsOf(separate);
    const added = gradientsOf(sum);
    const mean = gradientsOf(setUp(options));
    for (const name of ['augmented.0.conv1.weight', 'end.0.weight', 'end.weight']) {
      const parts = [0, 1, 2].flatMap((module) => {
        const part = apart.get(`heads.module${module}.leap.${name}`);
        return part === undefined ? [] : [part];
      });
      const [first] = parts;
      if (first === undefined) continue;
      const total = first.map((_, index) => parts.reduce((whole, part) => whole + (part[index] ?? 0), 0));
      expectClose(added.get(`heads.leap0.${name}`), total);
      expectClose(
        mean.get(`heads.leap0.${name}`),
        total.map((value) => value / 3),
      );
    }
    expect(added.has('heads.leap0.augmented.0.conv1.weight')).toBe(true);
    // Gradients of the network do not depend on the scale.
    expectClose(mean.get('layer1.0.conv1.weight'), added.get('layer1.0.conv1.weight'));
    expectClose(apart.get('layer1.0.conv1.weight'), added.get('layer1.0.conv1.weight'));
  });

  it.each<LamOptions>([options, { ...options, shareScale: 'sum' }, { ...options, emaBlocks: 'all', chainPool: 2 }])(
    'has the gradients of the literal procedure: %j',
    (one) => {
      const [ours, literal] = [gradientsOf(setUp(one)), gradientsOf(setUp(one), createLiteralExecutor)];
      expect([...ours.keys()].sort()).toEqual([...literal.keys()].sort());
      for (const [name, gradient] of ours) expectClose(gradient, literal.get(name));
    },
  );

  it('moves a shared average once per step', () => {
    const { compiled } = setUp({ share: 'stage', emaBlocks: 'first' });
    const names = compiled.averages.map(({ average }) => average.name);
    expect(names.length).toBeGreaterThan(0);
    expect(new Set(names).size).toBe(names.length);
  });

  it('keeps the weights of windows apart from those of modules', () => {
    const { compiled } = setUp({ ...options, on: 'all' }, { of: mlm(host) });
    const keys = compiled.objectives.flatMap(({ head: { shares } }) => (shares === undefined ? [] : [shares.key]));
    expect(new Set(keys).size).toBe(6);
  });
});

describe("part: 'classification'", () => {
  const of = infopro({ featureDimension: 4, ixx1: 3, ixx2: 3, ixy1: 0.5, ixy2: 0.5 });

  it('puts the chain before the classifier only', () => {
    const [whole, split] = [
      setUp({ emaBlocks: 'none' }, { of }),
      setUp({ emaBlocks: 'none', part: 'classification' }, { of }),
    ];
    const decoder = (setup: typeof whole) =>
      [...setup.compiled.parameters.values()].filter(({ name }) => /^heads\.module1\..*decoder/.test(name));
    // Behind the chain the decoder reads 8 channels, on the module itself 2.
    expect(decoder(whole)[0]?.shape[2]).toBe(8);
    expect(decoder(split)[0]?.shape[2]).toBe(2);
    const head = split.headOf(1);
    const result = evaluate(head, tf.randomNormal<tf.Rank.R4>([4, 8, 8, 2], 0, 1, 'float32', 4));
    const value = (name: string) => result.terms?.get(name)?.dataSync()[0] ?? Number.NaN;
    expect(result.loss.dataSync()[0]).toBeCloseTo(3 * value('reconstruction') + 0.5 * value('classification'), 5);
    expect(head.reads).toEqual(['images', 'labels']);
  });

  it('has the gradients of the literal procedure, also with shared chains', () => {
    const options: LamOptions = { part: 'classification', share: 'stage', chainPool: 2 };
    const [ours, literal] = [
      gradientsOf(setUp(options, { of })),
      gradientsOf(setUp(options, { of }), createLiteralExecutor),
    ];
    for (const [name, gradient] of ours) expectClose(gradient, literal.get(name));
    expect([...ours.keys()].some((name) => /^heads\.module1\.leap\..*decoder/.test(name))).toBe(true);
  });

  it('changes nothing around heads with one loss', () => {
    const names = (options: LamOptions) => [...setUp(options).compiled.parameters.keys()];
    expect(names({ part: 'classification' })).toEqual(names({}));
  });
});
