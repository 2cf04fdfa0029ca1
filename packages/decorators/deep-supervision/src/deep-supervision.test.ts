import { cifarResNet } from '@localgrad/backbones';
import { backprop } from '@localgrad/backprop';
import { createNetwork, type LocalLearningMethod, startOfTraining, validatePlan } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan, createTrainStep } from '@localgrad/engine';
import { infopro } from '@localgrad/infopro';
import { mlm } from '@localgrad/mlm';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import { sequential } from '@localgrad/sequential';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type DeepSupervisionOptions, deepSupervision, withDeepSupervision } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** A stem and six blocks. */
function networkOf(partition: readonly number[]) {
  const scope = createScope(3);
  const backbone = cifarResNet({ depth: 14, widths: [2, 2, 4, 8] }).build({ inputShape: [8, 8, 3], classes: 3, scope });
  return { scope, network: createNetwork(backbone, partition) };
}

function planOf(method: LocalLearningMethod, partition = [2, 1, 2, 2]) {
  const { network } = networkOf(partition);
  const plan = method.plan(network);
  validatePlan(plan, network.modules.length);
  return plan;
}

const spansOf = (method: LocalLearningMethod) =>
  planOf(method).objectives.map(({ id, role, span, weight }) => [id, role, span.join('-'), weight]);

/** Weights after some steps, by name. */
function trained(method: LocalLearningMethod, partition: readonly number[]) {
  const { scope, network } = networkOf(partition);
  const compiled = compilePlan(network, method.plan(network), { scope });
  const trainStep = createTrainStep({ compiled, optimizer: sgd({ learningRate: 0.05 }) });
  const images = tf.randomNormal<tf.Rank.R4>([4, 8, 8, 3], 0, 1, 'float32', 1);
  const targets = { labels: tf.tensor1d([0, 1, 2, 0], 'int32') };
  for (let step = 0; step < 2; step++) {
    for (const loss of trainStep.run({ images, targets }, startOfTraining).losses.values()) loss.dispose();
  }
  return { network, weights: new Map([...compiled.parameters].map(([name, { value }]) => [name, value.dataSync()])) };
}

describe('deepSupervision', () => {
  it('adds losses that propagate as far back as the loss that they are in the middle of', () => {
    expect(spansOf(deepSupervision(backprop(), { after: [0, 2] }))).toEqual([
      ['module0.deep', 'deep', '0-0', 0.4],
      ['module2.deep', 'deep', '0-2', 0.4],
      ['final', 'final', '0-3', 1],
    ]);
    expect(spansOf(deepSupervision(dgl(), { after: 2, weight: 0.5 }))).toEqual([
      ['module0', 'independent', '0-0', 1],
      ['module1', 'independent', '1-1', 1],
      ['module2.deep', 'deep', '2-2', 0.5],
      ['final', 'final', '2-3', 1],
    ]);
    expect(spansOf(deepSupervision(dgl(), { after: [1, 0] }))).toEqual([
      ['module0.deep', 'deep', '0-0', 0.4],
      ['module1.deep', 'deep', '0-1', 0.4],
      ['module0', 'independent', '0-2', 1],
      ['final', 'final', '3-3', 1],
    ]);
    expect(spansOf(deepSupervision(mlm(dgl()), { after: 1 })).filter(([id]) => id === 'module1.deep')).toEqual([
      ['module1.deep', 'deep', '1-1', 0.4],
    ]);
  });

  it('trains the host as without the cut when the added losses weigh nothing', () => {
    const cut = trained(deepSupervision(dgl(), { after: 1, weight: 1e-30 }), [2, 1, 2, 2]);
    const host = trained(dgl(), [2, 3, 2]);
    const names = [...host.weights.keys()].filter((name) => !name.startsWith('module'));
    expect(names.length).toBeGreaterThan(20);
    for (const name of names) expect(cut.weights.get(name), name).toEqual(host.weights.get(name));
  });

  it('trains blocks before a loss with its gradient, and none after it', () => {
    const light = trained(deepSupervision(dgl(), { after: 1, weight: 1e-30 }), [2, 1, 2, 2]);
    const heavy = trained(deepSupervision(dgl(), { after: 1, weight: 1 }), [2, 1, 2, 2]);
    const differs = (module: number) =>
      light.network.modules[module]?.blocks
        .flatMap(({ parameters }) => parameters)
        .some(({ name }) => `${light.weights.get(name)}` !== `${heavy.weights.get(name)}`);
    // Module 0 is isolated from it; the last modules only see the changed outputs of module 1 in the second step.
    expect([differs(0), differs(1)]).toEqual([false, true]);
  });

  it('freezes all modules of a merged one, and activates the loss with the one around it', () => {
    const plan = planOf(deepSupervision(sequential(dgl()), { after: 1 }));
    expect(plan.phases?.phases).toEqual([
      { name: 'module 0', objectives: ['module0'], frozen: [] },
      { name: 'module 1', objectives: ['module1', 'module1.deep'], frozen: [0] },
      { name: 'module 2', objectives: ['final'], frozen: [0, 1, 2] },
    ]);
  });

  it('tells blocks of the merged network from their place in the original', () => {
    const host: LocalLearningMethod = {
      ...dgl(),
      plan: (network) => ({
        ...dgl().plan(network),
        rewriteBlock: (block, { module, index }) => ({ ...block, name: `${module}.${index}` }),
      }),
    };
    const { rewriteBlock } = planOf(deepSupervision(host, { after: 1 }));
    const places = [2, 1, 2, 2].flatMap((count, module) =>
      Array.from({ length: count }, (_, index) => rewriteBlock?.({} as never, { module, index }).name),
    );
    expect(places).toEqual(['0.0', '0.1', '1.0', '1.1', '1.2', '2.0', '2.1']);
  });

  it('is rebuilt from its config', () => {
    const { config } = deepSupervision(dgl(), { after: 1, head: '1c2f', weight: 0.3 });
    expect(config).toEqual({
      decorator: 'deep-supervision',
      of: dgl().config,
      after: [1],
      head: '1c2f',
      weight: 0.3,
    });
  });

  it.each<[Partial<DeepSupervisionOptions>, RegExp]>([
    [{}, /'after' is .*a module, from 0, or a list/],
    [{ after: [] }, /'after'/],
    [{ after: [1, 1] }, /'after'/],
    [{ after: -1 }, /'after'/],
    [{ after: 1, weight: 0 }, /'weight' is 0; allowed: numbers > 0/],
    [{ after: 1, head: 'fcn' }, /Unknown head 'fcn'/],
    [{ after: 1, wieght: 1 } as never, /'wieght'.*weight/],
  ])('rejects %j', (options, message) => {
    expect(() => withDeepSupervision(options as DeepSupervisionOptions)).toThrow(message);
  });

  it('names the modules that a network has', () => {
    expect(() => planOf(deepSupervision(dgl(), { after: 3 }))).toThrow(/contains module 3; allowed: 0 to 2/);
    expect(() => planOf(deepSupervision(dgl(), { after: 1 }), [3, 4])).toThrow(/module 1; allowed: 0, the module/);
    expect(() => planOf(deepSupervision(dgl(), { after: 0 }), [7])).toThrow(/one module; it needs at least 2/);
  });

  it('rejects heads that read the input of a merged module', () => {
    const compile = (after: number) => {
      const { scope, network } = networkOf([2, 1, 2, 2]);
      const method = deepSupervision(infopro({ reconstruct: 'input' }), { after });
      return compilePlan(network, method.plan(network), { scope });
    };
    expect(() => compile(1)).toThrow(/reads the input of its module.*modules 1 to 2 together/);
    expect(() => compile(2)).not.toThrow();
  });
});
