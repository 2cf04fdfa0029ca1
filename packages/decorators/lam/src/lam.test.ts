import { cifarResNet, imageNetResNet, publishedPartition } from '@localgrad/backbones';
import {
  type Backbone,
  type BlockReference,
  clockAt,
  createNetwork,
  type Network,
  type Optimizer,
  resolvePartition,
  type Shape3,
  startOfTraining,
} from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan, createTrainStep, describePlan } from '@localgrad/engine';
import { mlm } from '@localgrad/mlm';
import { convBatchNormRelu, maxPool, sequential } from '@localgrad/nn/blocks';
import { createClassifier } from '@localgrad/nn/heads';
import { sgd } from '@localgrad/nn/optimizers';
import { createRandom, createScope, type RootScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type LamOptions, lam, publishedChains, ruleChain, withLam } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const host = dgl({ head: '0c1f' });

function networkOf(
  depth: number,
  spec: Parameters<typeof resolvePartition>[1],
  scope: RootScope = createScope(1),
): Network {
  const backbone = cifarResNet({ depth, widths: [2, 2, 4, 8] }).build({ inputShape: [8, 8, 3], classes: 3, scope });
  return createNetwork(backbone, resolvePartition(backbone.blocks, spec));
}

const text = (blocks: readonly BlockReference[] | undefined) => blocks?.map((block) => block.join('')).join(' ');

describe('the published tables', () => {
  const chains = (depth: number, modules: number) =>
    publishedChains(networkOf(depth, { lastBlocks: publishedPartition(`resnet${depth}`, modules) }));

  it.each([
    [32, 8, 7],
    [32, 15, 14],
    [32, 16, 15],
    [110, 32, 31],
    [110, 54, 53],
    [110, 55, 54],
  ])('resnet%i, %i modules: have a matching chain for each module but the last', (depth, modules, count) => {
    const network = networkOf(depth, { lastBlocks: publishedPartition(`resnet${depth}`, modules) });
    expect(publishedChains(network)).toHaveLength(count);
    const plan = lam(host).plan(network);
    expect(plan.objectives.filter(({ head }) => head.factory?.borrows !== undefined)).toHaveLength(count);
  });

  it.each([
    [34, 16],
    [101, 33],
    [152, 50],
  ])('ImageNet’s resnet%i, %i modules: have a chain that fits for each module but the last', (depth, modules) => {
    const factory = imageNetResNet({ depth, width: 1 });
    const backbone = factory.build({ inputShape: [32, 32, 3], classes: 3, scope: createScope(1) });
    const lastBlocks = publishedPartition(factory.name, modules, 'mlaan');
    const network = createNetwork(backbone, resolvePartition(backbone.blocks, { lastBlocks }));
    expect(publishedChains(network)).toHaveLength(modules - 1);
    const { objectives } = lam(host).plan(network);
    expect(objectives.filter(({ head }) => head.factory?.borrows !== undefined)).toHaveLength(modules - 1);
  });

  it('match docs/methods/lam.md §3', () => {
    const eight = chains(32, 8) ?? [];
    expect([0, 2, 3, 5, 6].map((module) => text(eight[module]))).toEqual([
      '20 30 32 34',
      '20 30 33 34',
      '30 32 33 34',
      '32 33 34',
      '33 34',
    ]);
    expect(chains(32, 16)?.slice(1)).toEqual(chains(32, 15));
    expect([10, 11, 12, 13].map((module) => text(chains(32, 15)?.[module]))).toEqual([
      '31 32 34',
      '32 33 34',
      '33 34',
      '34',
    ]);
    expect([10, 21, 25, 30].map((module) => text(chains(110, 32)?.[module]))).toEqual([
      '20 30 32 317',
      '30 33 34 317',
      '38 317',
      '317',
    ]);
  });

  it('apply only to their own partition', () => {
    expect(publishedChains(networkOf(32, { modules: 7 }))).toBeUndefined();
    expect(publishedChains(networkOf(14, { modules: 4 }))).toBeUndefined();
  });
});

describe('the rule', () => {
  it('yields the chains of the reference on the small network', () => {
    const network = networkOf(14, {
      lastBlocks: [
        [1, 0],
        [1, 1],
        [2, 0],
        [2, 1],
        [3, 0],
        [3, 1],
      ],
    });
    expect([0, 1, 2, 3, 4, 5].map((module) => text(ruleChain(network, module, 4)))).toEqual([
      ...['20 30 31', '20 30 31', '30 31', '30 31', '31'],
      '',
    ]);
  });

  it('yields matching chains for any depth, partition and length, which end with the last block', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 2, max: 13 }),
        fc.integer({ min: 1, max: 6 }),
        (n, k, length) => {
          const depth = 6 * n + 2;
          const network = networkOf(depth, { modules: Math.min(k, 3 * n) });
          const plan = lam(host, { leap: 'rule', maximumLength: length }).plan(network);
          for (const { span, head } of plan.objectives.slice(0, -1)) {
            const chain = ruleChain(network, span[1], length);
            expect(head.factory?.borrows?.map(({ reference }) => reference)).toEqual(chain);
            expect(chain.at(-1)).toEqual([3, n - 1]);
            expect(new Set(chain.map(String)).size).toBe(chain.length);
            expect(chain.length).toBeLessThanOrEqual(Math.max(length, 3));
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});

/** Gradient descent without momentum or decay. */
function plainDescent(onUpdate: (name: string) => void): Optimizer {
  return {
    config: {},
    stateBytes: () => 0,
    update(gradients, { learningRate }) {
      for (const { parameter, gradient } of gradients) {
        onUpdate(parameter.name);
        parameter.assign(tf.tidy(() => tf.sub(parameter.value, tf.mul(gradient, learningRate))));
        gradient.dispose();
      }
    },
    state: () => new Map(),
    load: () => {},
    dispose: () => {},
  };
}

describe('a step', () => {
  const setUp = (options: LamOptions, of = host) => {
    const scope = createScope(3);
    const network = networkOf(14, { modules: 4 }, scope);
    const compiled = compilePlan(network, lam(of, options).plan(network), { scope });
    const random = createRandom(2);
    const images = tf.tensor4d(
      Float32Array.from({ length: 4 * 192 }, () => random.normal()),
      [4, 8, 8, 3],
    );
    const batch = { images, targets: { labels: tf.tensor1d([0, 1, 2, 0], 'int32') } };
    const trained = new Set<string>();
    const optimizer = plainDescent((name) => trained.add(name));
    const trainStep = createTrainStep({ compiled, optimizer, learningRate: 0.5 });
    const step = () => {
      trained.clear();
      const { losses, terms } = trainStep.run(batch, startOfTraining);
      tf.dispose([...losses.values(), ...terms.values()]);
      return trained;
    };
    const value = (name: string) => Array.from(compiled.parameters.get(name)?.value.dataSync() ?? []);
    return { compiled, step, value };
  };
  const average = 'heads.module0.leap.ema.0.conv1.weight';
  const augmented = 'heads.module0.leap.augmented.0.conv1.weight';
  const live = 'layer2.0.conv1.weight';

  it('starts from copies, trains the learnable ones, and updates the averages from the live blocks', () => {
    const { step, value } = setUp({ momentum: 0.75 });
    const start = value(live);
    expect([value(average), value(augmented)]).toEqual([start, start]);
    const trained = step();
    expect([trained.has(augmented), trained.has(average), trained.has(live)]).toEqual([true, false, true]);
    const now = value(live);
    expect(now).not.toEqual(start);
    // v + mⁿ·(e − v), here n = 1 (docs/methods/lam.md §2).
    value(average).forEach((entry, index) => {
      expect(entry).toBeCloseTo(0.75 * (start[index] as number) + 0.25 * (now[index] as number), 6);
    });
  });

  it('keeps averages with momentum 1, and copies the live weights with momentum 0', () => {
    const frozen = setUp({ momentum: 1 });
    const start = frozen.value(average);
    frozen.step();
    expect(frozen.value(average)).toEqual(start);
    const copying = setUp({ momentum: 0 });
    copying.step();
    expect(copying.value(average)).toEqual(copying.value(live));
  });

  it('beforeStep averages the weights before the step', () => {
    const { step, value } = setUp({ momentum: 0.5, emaTime: 'beforeStep' });
    const start = value(live);
    step();
    expect(value(average)).toEqual(start);
    const second = value(live);
    step();
    value(average).forEach((entry, index) => {
      expect(entry).toBeCloseTo(0.5 * (start[index] as number) + 0.5 * (second[index] as number), 6);
    });
  });

  it('lastOnly updates only the averages of the last chain', () => {
    const { compiled, step, value } = setUp({ momentum: 0.5, emaUpdate: 'lastOnly' });
    const averages = [...compiled.parameters.keys()].filter(
      (name) => name.includes('.ema.') && name.endsWith('conv1.weight'),
    );
    const before = new Map(averages.map((name) => [name, value(name)]));
    step();
    const moved = averages.filter((name) => String(value(name)) !== String(before.get(name)));
    expect(moved).toEqual(averages.filter((name) => name.includes('module2.')));
    expect(moved).not.toHaveLength(0);
  });

  it("the paper's chain consists only of averages", () => {
    const { compiled, step } = setUp({ chain: 'ema', on: 'independent' });
    const names = [...compiled.parameters.keys()].filter((name) => name.startsWith('heads.module0.'));
    expect(names.filter((name) => name.includes('.augmented.'))).toEqual([]);
    expect(names.filter((name) => name.includes('.ema.2.'))).not.toEqual([]);
    expect([...step()].filter((name) => name.includes('.ema.'))).toEqual([]);
  });

  it('emaTrainable also trains the averages, and emaBlocks all adds one to every block', () => {
    const { compiled, step } = setUp({ emaTrainable: true, emaBlocks: 'all' });
    expect([...step()].filter((name) => name.startsWith('heads.module0.leap.ema.2.'))).not.toEqual([]);
    expect([...compiled.parameters.values()].some(({ kind }) => kind === 'frozen')).toBe(false);
  });

  it('leaks no tensors, and keeps the state of two networks with the same plan separate', () => {
    const { compiled, step } = setUp({}, mlm(host));
    step();
    const before = tf.memory().numTensors;
    step();
    expect(tf.memory().numTensors).toBe(before);
    for (const parameter of compiled.parameters.values()) parameter.dispose();
  });

  it('selects heads by role, but never the classifier', () => {
    const network = networkOf(14, { modules: 4 });
    const chained = (on: LamOptions['on'], of = mlm(host)) =>
      lam(of, on === undefined ? {} : { on })
        .plan(network)
        .objectives.filter(({ head }) => head.factory?.borrows !== undefined)
        .map(({ id }) => id);
    const cascaded = [0, 1, 2].map((module) => `module${module}.cascaded`);
    const independent = [0, 1, 2].map((module) => `module${module}`);
    expect(chained(undefined)).toEqual(cascaded);
    expect(chained('independent')).toEqual(independent);
    expect(chained('all')).toEqual([0, 1, 2].flatMap((module) => [`module${module}`, `module${module}.cascaded`]));
    expect(chained(undefined, host)).toEqual(independent);
    expect(() => chained('cascaded', host)).toThrow(/no cascaded losses.*independent/s);
  });
});

/** Stages of two convolutions, the second of which ends with max-pooling; the classifier reads a 1×1 feature map. */
function poolingBackbone(scope: RootScope): Backbone {
  const blocks = [2, 4, 8].flatMap((channels, stage) => {
    const side = 8 / 2 ** stage;
    const before = [3, 2, 4][stage] ?? 0;
    const place = scope.scope(`stage${stage + 1}`);
    const first = convBatchNormRelu({
      ...{ name: `stage${stage + 1}.0`, scope: place.scope('0'), inputShape: [side, side, before], channels },
    });
    const second = convBatchNormRelu({
      ...{ name: 'conv', scope: place.scope('1'), inputShape: first.outputShape, channels },
    });
    const pool = maxPool({ name: 'pool', inputShape: second.outputShape, size: 2, padding: 0 });
    const ending = sequential(`stage${stage + 1}.1`, [second, pool]);
    return [first, ending].map((block, index) => ({ reference: [stage + 1, index] as const, block }));
  });
  const inputShape: Shape3 = [1, 1, 8];
  const classifier = createClassifier({ scope, inputShape, classes: 3 });
  return { name: 'pooling', config: {}, inputShape: [8, 8, 3], classes: 3, blocks, classifier };
}

describe('a network whose stages end with pooling', () => {
  const setUp = () => {
    const scope = createScope(4);
    return { scope, network: createNetwork(poolingBackbone(scope), [1, 1, 1, 1, 1, 1]) };
  };

  it('has chains with every later block that changes the shape', () => {
    const { network } = setUp();
    expect([0, 1, 2, 3, 4, 5].map((module) => text(ruleChain(network, module, 4)))).toEqual([
      ...['11 20 21 30 31', '20 21 30 31', '21 30 31', '30 31', '31', ''],
    ]);
  });

  it.each(['lam', 'mlaan'])('trains with %s', (name) => {
    const { scope, network } = setUp();
    const method = name === 'lam' ? lam(host) : lam(mlm(host));
    const compiled = compilePlan(network, method.plan(network), { scope });
    const trainStep = createTrainStep({ compiled, optimizer: sgd({ learningRate: 0.05 }) });
    const random = createRandom(2);
    const images = tf.tensor4d(
      Float32Array.from({ length: 6 * 192 }, () => random.normal()),
      [6, 8, 8, 3],
    );
    const labels = tf.tensor1d([0, 1, 2, 0, 1, 2], 'int32');
    const losses = Array.from({ length: 30 }, (_, step) => {
      const result = trainStep.run({ images, targets: { labels } }, clockAt(step, 1, 30));
      return [...result.losses.values()].reduce((sum, loss) => sum + (loss.dataSync()[0] ?? 0), 0);
    });
    expect(losses.at(-1)).toBeLessThan(0.6 * (losses[0] ?? 0));
    const chained = describePlan(compiled, 6).objectives.filter(({ chain }) => chain !== undefined);
    expect(chained).toHaveLength(5);
  });
});

describe('errors', () => {
  it('reports block, expected and actual shape for a chain that does not fit', () => {
    const network = networkOf(14, { modules: 4 });
    const leap: BlockReference[][] = [[[3, 0]], [[3, 1]], [[3, 1]]];
    expect(() => lam(host, { leap }).plan(network)).toThrow(
      /module 0 \(1,0\).*\(3,0\) expects 4×4×4, but receives 8×8×2/s,
    );
    expect(() => lam(host, { leap: [[[4, 0]], [], []] }).plan(network)).toThrow(/\(4,0\).*does not exist.*\(3,1\)/s);
    expect(() => lam(host, { leap: [[]] }).plan(network)).toThrow(/module 0.*empty/s);
    expect(() => lam(host, { leap: [] }).plan(network)).toThrow(/0 chains.*module 0 \(1,0\)/s);
    const tooMany = Array.from({ length: 4 }, () => [[2, 0]] as const);
    expect(() => lam(host, { leap: tooMany }).plan(network)).toThrow(/4 chains, but only 3 modules.*0 \(1,0\), 1 /s);
  });

  it('rejects a method if all heads already use later blocks, and otherwise extends the remaining heads', () => {
    const network = networkOf(14, { modules: 4 });
    expect(() => lam(lam(host)).plan(network)).toThrow(
      /every head.*already uses blocks.*'leap\+0c1f' of module0: \(2,0\)/s,
    );
    const plan = lam(lam(mlm(host), { on: 'independent' }), { on: 'all' }).plan(network);
    expect(plan.objectives.slice(0, 4).map(({ head }) => head.key)).toEqual([
      ...['module0.leap', 'module0.cascaded.leap', 'module1.leap', 'module1.cascaded.leap'],
    ]);
  });

  it.each<[object, RegExp]>([
    [{ momentum: 2 }, /momentum.*0 to 1/s],
    [{ momentum: '0.9' }, /momentum/],
    [{ on: 'final' }, /cascaded, independent, all/],
    [{ emaBlocks: 'last' }, /first, all/],
    [{ maximumLength: 0 }, /maximumLength/],
    [{ leap: 'paper' }, /table, rule/],
    [{ leap: [[[1]]] }, /leap/],
    [{ moment: 0.9 }, /momentum/],
  ])('refuses %j', (options, message) => {
    expect(() => lam(host, options as LamOptions)).toThrow(message);
    expect(() => withLam(options as LamOptions)).toThrow(message);
  });

  it('has a complete config', () => {
    const options: LamOptions = { momentum: 0.9, leap: [[[2, 0]]] };
    expect(JSON.parse(JSON.stringify(lam(host, options).config))).toEqual({
      decorator: 'lam',
      of: host.config,
      momentum: 0.9,
      leap: [[[2, 0]]],
    });
    expect(withLam(options)(host).name).toBe('lam(dgl)');
  });
});
