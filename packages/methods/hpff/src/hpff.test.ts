import { cifarResNet } from '@localgrad/backbones';
import {
  createNetwork,
  type LocalLearningMethod,
  type Network,
  type PartitionSpec,
  resolvePartition,
} from '@localgrad/core';
import { compilePlan } from '@localgrad/engine';
import { createScope } from '@localgrad/nn/random';
import { describe, expect, it } from 'vitest';
import { type HpffOptions, hpff } from './index.js';

function resNet32(spec: PartitionSpec): Network {
  const scope = createScope(1);
  const backbone = cifarResNet({ depth: 32 }).build({ inputShape: [32, 32, 3], classes: 10, scope });
  return createNetwork(backbone, resolvePartition(backbone.blocks, spec));
}

const shown = (method: LocalLearningMethod, modules: number) =>
  method
    .plan(resNet32({ modules }))
    .objectives.map(({ id, role, span, weight, head }) => [id, role, ...span, weight, head.factory?.name]);

describe('hpff', () => {
  it('has a classifier on each module but the first, and a window of two modules with a patched decoder', () => {
    expect(shown(hpff(), 4)).toEqual([
      ['module1', 'independent', 1, 1, 0.001, '2c2f'],
      ['module1.cascaded', 'cascaded', 0, 1, 0.999, 'decoder+2c2f'],
      // Both weights of the last window are 0 (docs/methods/hpff.md §2).
      ['module2', 'independent', 2, 2, 0.001, '2c2f'],
      ['final', 'final', 3, 3, 0.001, undefined],
      ['final.cascaded', 'cascaded', 2, 3, 0.999, undefined],
    ]);
    expect(shown(hpff({ ixy2: 0.1, window: 3 }), 4).map(([id]) => id)).toEqual([
      'module2',
      'module2.cascaded',
      'final',
      'final.cascaded',
    ]);
  });

  it('has the weights of the published code, which divides by its key minus 2 (docs/methods/hpff.md §2)', () => {
    const lastWeights = (modules: number, options: HpffOptions = {}) => {
      const { objectives } = hpff(options).plan(resNet32({ modules }));
      const last = objectives.find(({ id }) => id === `module${modules - 2}.cascaded`);
      return last?.head.factory?.terms?.map(({ weight }) => weight);
    };
    // Key 16 builds 15 modules: r = 13/14 at the last window. Key 8 builds 8.
    const wanted = [5 * (1 - 13 / 14), 0.5 * (1 - 13 / 14)].map((weight) => expect.closeTo(weight, 7));
    expect(lastWeights(15, { ixx2: 0.35714286, ixy2: 0.035714286 })).toEqual(wanted);
    expect(lastWeights(8)).toBeUndefined();
  });

  it('has a decoder per quadrant on windows only: 4 · 2,091 parameters at 16 channels', () => {
    const network = resNet32({ modules: 8 });
    const compiled = compilePlan(network, hpff().plan(network), { scope: createScope(2) });
    const sizes = new Map(
      [...compiled.heads.values()]
        .flat()
        .map(({ key, head }) => [key, head.parameters.reduce((sum, { size }) => sum + size, 0)]),
    );
    // docs/methods/heads.md §1, §3: head 2c2f and decoder at 16 and 32 channels.
    expect(sizes.get('module1')).toBe(19_466);
    expect(sizes.get('module1.cascaded')).toBe(19_466 + 4 * 2_091);
    expect(sizes.get('module3.cascaded')).toBe(65_162 + 4 * 3_819);
    expect(compiled.reads).toEqual(expect.arrayContaining(['labels', 'images']));
    const undivided = compilePlan(network, hpff({ patches: 1 }).plan(network), { scope: createScope(2) });
    expect(undivided.parameters.size).toBeLessThan(compiled.parameters.size);
  });

  it('is rebuilt from its config', () => {
    const options: HpffOptions = { patches: 3, patchReduction: 'mean', window: 3, ixy1: 1, featureDimension: 8 };
    const { method, ...rest } = JSON.parse(JSON.stringify(hpff(options).config)) as { method: string };
    expect([method, hpff(rest).config]).toEqual(['hpff', { method: 'hpff', ...options }]);
  });

  it.each<[object, RegExp]>([
    [{ patches: 0 }, /^hpff: option 'patches' is 0; allowed: integers ≥ 1/],
    [{ patchReduction: 'max' }, /^hpff: option 'patchReduction'/],
    [{ reconstruct: 'labels' }, /^hpff: option 'reconstruct'/],
    [{ decoder: 'large' }, /^hpff: option 'decoder'/],
    [{ decoder: 'imagenet', reconstruct: 'input' }, /^hpff: decoder 'imagenet' reconstructs images/],
    [{ ixx1: -1 }, /^hpff: option 'ixx1'/],
    [{ ixy2: -1 }, /^hpff: option 'ixy2'/],
    [{ window: 0 }, /^hpff: option 'window' is 0/],
    [{ cascadeWeight: -1 }, /^hpff: .*cascadeWeight/],
    [{ head: 'dgl-cnn' }, /^hpff: option 'head' is 'dgl-cnn'; allowed: .*2c2f/],
    [{ loss: 'contrast' }, /option of hpff 'loss'/],
    [{ widen: 0 }, /^hpff: option 'widen' is 0; allowed: positive integers\./],
  ])('rejects %j', (options, message) => {
    expect(() => hpff(options)).toThrow(message);
  });
});
