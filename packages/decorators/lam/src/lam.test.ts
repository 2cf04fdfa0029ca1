import { type Backbone, clockAt, createNetwork, type Optimizer, type Shape3, startOfTraining } from '@localgrad/core';
import { compilePlan, createTrainStep, describePlan } from '@localgrad/engine';
import { mlm } from '@localgrad/mlm';
import { convBatchNormRelu, maxPool, sequential } from '@localgrad/nn/blocks';
import { createClassifier } from '@localgrad/nn/heads';
import { sgd } from '@localgrad/nn/optimizers';
import { createRandom, createScope, type RootScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type LamOptions, lam, ruleChain } from './index.js';
import { host, networkOf, text } from './lam-plan.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
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
    const { compiled, step, value } = setUp({ momentum: 0.75 });
    const averages = [...compiled.parameters.keys()].filter((name) => name.startsWith('heads.module0.leap.ema.'));
    expect(averages.every((name) => name.startsWith('heads.module0.leap.ema.0.'))).toBe(true);
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

  it('copies running statistics as well, unless its copies are initialized independently', () => {
    for (const initialize of ['copy', 'independent'] as const) {
      const scope = createScope(3);
      const network = networkOf(14, { modules: 4 }, scope);
      for (const { block } of network.backbone.blocks) {
        for (const statistic of block.statistics) statistic.assign(tf.fill([...statistic.shape], 3));
      }
      const { parameters } = compilePlan(network, lam(host, { initialize }).plan(network), { scope });
      const copies = (kind: string) => {
        const names = [...parameters.keys()].filter((name) => name.startsWith(`heads.module0.leap.${kind}.0.`));
        return names.map((name) => [
          String(parameters.get(name)?.value.dataSync()),
          String(parameters.get(name.replace(`heads.module0.leap.${kind}.0`, 'layer2.0'))?.value.dataSync()),
        ]);
      };
      for (const kind of ['augmented', 'ema']) {
        const isEqual = copies(kind).map(([copy, original]) => copy === original);
        expect(isEqual.length).toBeGreaterThan(4);
        expect(isEqual.every(Boolean)).toBe(initialize === 'copy');
      }
      for (const parameter of parameters.values()) parameter.dispose();
    }
  });

  it('leaks no tensors, and keeps the state of two networks with the same plan separate', () => {
    const { compiled, step } = setUp({}, mlm(host));
    step();
    const before = tf.memory().numTensors;
    step();
    expect(tf.memory().numTensors).toBe(before);
    for (const parameter of compiled.parameters.values()) parameter.dispose();
  });
});

/** Stages of two convolutions, the second of which ends with max-pooling; the classifier reads a 1×1 feature map. */
function poolingBackbone(scope: RootScope): Backbone {
  const blocks = [2, 4, 8].flatMap((channels, stage) => {
    const side = 8 / 2 ** stage;
    const before = [3, 2, 4][stage] ?? 0;
    const place = scope.scope(`stage${stage + 1}`);
    const first = convBatchNormRelu({
      name: `stage${stage + 1}.0`,
      scope: place.scope('0'),
      inputShape: [side, side, before],
      channels,
    });
    const second = convBatchNormRelu({
      name: 'conv',
      scope: place.scope('1'),
      inputShape: first.outputShape,
      channels,
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
      '11 20 21 30 31',
      '20 21 30 31',
      '21 30 31',
      '30 31',
      '31',
      '',
    ]);
  });

  it('trains inside windows', () => {
    const { scope, network } = setUp();
    const method = lam(mlm(host));
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
