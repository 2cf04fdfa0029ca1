import { cifarResNet } from '@localgrad/backbones';
import {
  createNetwork,
  type LocalLearningMethod,
  type Network,
  type PartitionSpec,
  resolvePartition,
} from '@localgrad/core';
import { compilePlan } from '@localgrad/engine';
import { greedy } from '@localgrad/greedy';
import { type InfoProOptions, infopro } from '@localgrad/infopro';
import { lam } from '@localgrad/lam';
import { mlm } from '@localgrad/mlm';
import { createScope } from '@localgrad/nn/random';
import { describe, expect, it } from 'vitest';
import { type ManOptions, man, withMan } from './index.js';

function resNet32(spec: PartitionSpec): Network {
  const scope = createScope(1);
  const backbone = cifarResNet({ depth: 32 }).build({ inputShape: [32, 32, 3], classes: 10, scope });
  return createNetwork(backbone, resolvePartition(backbone.blocks, spec));
}

const compiled = (network: Network, method: ReturnType<typeof man>) =>
  compilePlan(network, method.plan(network), { scope: createScope(2) });

/** Number of trained parameters. */
function trainedCount(network: Network, method: ReturnType<typeof man>): number {
  const parameters = [...compiled(network, method).parameters.values()];
  return parameters.reduce((sum, { kind, size }) => sum + (kind === 'weight' ? size : 0), 0);
}

/** The host of the published code: classifier 2c2f and decoder, weighted by the stage of the next block. */
const published: InfoProOptions = { head: '2c2f', ixx1: 5, ixy1: 0.5, ixx2: 0, ixy2: 0, lambdaIndex: 'nextStage' };

describe('man', () => {
  it('puts the next block in front of each head: trained and averaged, initialized independently, with a scale', () => {
    const network = resNet32({ modules: 8 });
    const { objectives } = man(greedy()).plan(network);
    expect(
      objectives.map(({ head }) => head.factory?.borrows?.map(({ reference, as }) => [...reference, ...as])),
    ).toEqual([
      ...['1,1', '1,3', '2,0', '2,2', '2,4', '3,1', '3,3'].map((block) => [
        [...block.split(',').map(Number), 'trained-copy', 'averaged-copy'],
      ]),
      undefined,
    ]);
    const { parameters } = compiled(network, man(greedy()));
    const value = (name: string) => [...(parameters.get(name)?.value.dataSync() ?? [])];
    const names = ['layer1.1', 'heads.module0.leap.augmented.0', 'heads.module0.leap.ema.0'];
    const [live, trained, averaged] = names.map((name) => value(`${name}.conv1.weight`).slice(0, 9).join());
    expect(new Set([live, trained, averaged]).size).toBe(3);
    expect(value('heads.module0.leap.scale.0.weight')).toEqual([1]);
  });

  it('leaves an auxiliary head on the last module without a block', () => {
    const network = resNet32({ modules: 4 });
    const onLast: LocalLearningMethod = {
      ...greedy(),
      plan: (given) => {
        const plan = greedy().plan(given);
        const [first] = plan.objectives;
        const own = first === undefined ? [] : [{ ...first, id: 'last', span: [3, 3] as const }];
        const objectives = own.map((one) => ({ ...one, head: { ...one.head, key: 'last' } }));
        return { ...plan, objectives: [...plan.objectives, ...objectives] };
      },
    };
    const { objectives } = compiled(network, man(onLast));
    const blocks = objectives.map(({ head }) => head.factory?.borrows?.length);
    expect(blocks).toEqual([1, 1, 1, undefined, undefined]);
  });

  it('reads through more blocks on request, of which only the first has an average, as far as there are any', () => {
    const network = resNet32({ modules: 15 });
    const { objectives } = man(greedy(), { depth: 2 }).plan(network);
    const blocks = objectives.map(({ head }) => head.factory?.borrows?.map(({ reference }) => reference.join()));
    expect(blocks[0]).toEqual(['1,1', '1,2']);
    expect(blocks[12]).toEqual(['3,3', '3,4']);
    // The last block follows the last local module.
    expect(blocks.slice(13)).toEqual([['3,4'], undefined]);
    const [first] = objectives;
    expect(first?.head.factory?.borrows?.map(({ as }) => as)).toEqual([
      ['trained-copy', 'averaged-copy'],
      ['trained-copy'],
    ]);
    const names = [...compiled(network, man(greedy(), { depth: 2 })).parameters.keys()];
    const scales = names.filter((name) => name.startsWith('heads.module0.leap.scale'));
    expect(scales).toEqual(['heads.module0.leap.scale.0.weight']);
  });

  it('is a configuration of lam', () => {
    const network = resNet32({ modules: 4 });
    const same = lam(mlm(greedy()), {
      on: 'independent',
      leap: 'next',
      scale: 'learned',
      initialize: 'independent',
      momentum: 0.9,
    });
    const shown = (method: ReturnType<typeof man>) =>
      method.plan(network).objectives.map(({ head, ...rest }) => [rest, head.key, head.factory?.borrows]);
    expect(shown(man(mlm(greedy()), { momentum: 0.9 }))).toEqual(shown(same));
    expect(man(mlm(greedy())).plan(network).method).toBe('man(mlm(greedy))');
  });

  it('trains as many parameters as the published code (docs/methods/man.md §5)', () => {
    const sum = man(infopro(published), { scale: 'none' });
    expect(trainedCount(resNet32({ modules: 8 }), sum)).toBe(1_107_661);
    expect(trainedCount(resNet32({ modules: 15 }), sum)).toBe(1_813_504);
    // MAN++ reads the stem through a contrastive 1c2f head, which has 5,942 parameters more.
    expect(trainedCount(resNet32({ modules: 16 }), man(infopro(published))) + 5_942).toBe(1_845_690);
  });

  it('names itself, and not lam, where heads already have chains', () => {
    const network = resNet32({ modules: 4 });
    expect(() => man(lam(greedy())).plan(network)).toThrow(
      /^man\(lam\(greedy\)\): every head that would get a leap chain/,
    );
    const others = lam(greedy(), { leap: [[]] });
    expect(() => man(others).plan(network)).toThrow(/^lam: /);
  });

  it('has a config with the passed options, and a decorator form', () => {
    const options: ManOptions = { momentum: 0.99, scale: 'none' };
    expect(man(greedy(), options).config).toEqual({ decorator: 'man', of: { method: 'greedy' }, ...options });
    expect(withMan(options)(greedy()).config).toEqual(man(greedy(), options).config);
  });

  it.each<[object, RegExp]>([
    [{ scale: 'fixed' }, /none, learned/],
    [{ momentum: 2 }, /^man: option 'momentum' is 2/],
    [{ depth: 0 }, /man.*depth/],
    [{ leap: 'rule' }, /option of man 'leap'/],
  ])('rejects %j', (options, message) => {
    expect(() => man(greedy(), options)).toThrow(message);
  });
});
