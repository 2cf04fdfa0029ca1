import { type Backbone, type BackboneBlock, createNetwork, type HeadContext, validatePlan } from '@localgrad/core';
import { headNames } from '@localgrad/nn/heads';
import { createScope } from '@localgrad/nn/random';
import { describe, expect, it } from 'vitest';
import { type DglOptions, dgl } from './index.js';

const shapes = [
  [32, 32, 16],
  [16, 16, 32],
  [8, 8, 64],
  [8, 8, 64],
] as const;
const inputShape = [32, 32, 3];
const blocks = shapes.map((outputShape, index) => {
  const block = { name: `block${index}`, inputShape: shapes[index - 1] ?? inputShape, outputShape };
  return { reference: [1, index], block } as unknown as BackboneBlock;
});
const network = createNetwork({ inputShape, blocks } as unknown as Backbone, [1, 1, 1, 1]);

/** Number of parameters of the heads on the first three modules. */
function headSizes(options?: DglOptions): (number | undefined)[] {
  const plan = dgl(options).plan(network);
  validatePlan(plan, 4);
  const scope = createScope(1);
  return plan.objectives.slice(0, -1).map(({ head }, module) => {
    const inputShape = shapes[module];
    const context = {
      module,
      modules: 4,
      inputShape,
      moduleInputShape: inputShape,
      finalShape: [8, 8, 64],
      classes: 10,
      imageShape: [32, 32, 3],
    };
    const built = head.factory?.build(context as unknown as HeadContext, scope.scope(head.key));
    return built?.parameters.reduce((sum, parameter) => sum + parameter.size, 0);
  });
}

describe('dgl', () => {
  it('trains each module separately, the last one with the classifier', () => {
    const plan = dgl().plan(network);
    expect(plan.objectives.map(({ role, span, weight }) => [role, ...span, weight])).toEqual([
      ['independent', 0, 0, 1],
      ['independent', 1, 1, 1],
      ['independent', 2, 2, 1],
      ['final', 3, 3, 1],
    ]);
    expect(new Set(plan.objectives.map(({ head }) => head.key)).size).toBe(4);
    expect(plan.objectives.at(-1)?.head).toEqual({ key: 'classifier' });
  });

  it('uses the head of the AugLocal code by default, and others by name', () => {
    // By hand: 3·(c² + 2c) + 2·((4c)² + 8c) + 4c·10 + 10.
    const auglocal = [16, 32, 64].map((c) => 3 * (c * c + 2 * c) + 2 * (16 * c * c + 8 * c) + 40 * c + 10);
    expect(headSizes()).toEqual(auglocal);
    // docs/methods/heads.md §1, §2.
    expect(headSizes({ head: '1c2f' })).toEqual([10_186, 28_170, 46_602]);
    expect(headSizes({ head: 'dgl-128x512' })).toEqual([635_146, 637_194, 641_290]);
    expect(headSizes({ head: '0c2f', featureDimension: 12 })[0]).toBe(16 * 12 + 12 + 120 + 10);
  });

  it('is rebuilt from its config with any head', () => {
    for (const head of headNames) {
      const { config } = dgl({ head });
      const { method, ...options } = JSON.parse(JSON.stringify(config)) as { method: string };
      expect([method, dgl(options).config]).toEqual(['dgl', config]);
    }
    expect(dgl().config).toEqual({ method: 'dgl', head: 'auglocal-dgl' });
    expect(dgl({ head: '1c2f', featureDimension: 12 }).config).toEqual({
      method: 'dgl',
      head: '1c2f',
      featureDimension: 12,
    });
  });

  it('reports unknown options and heads', () => {
    expect(() => dgl({ haed: '1c2f' } as never)).toThrow(/option of dgl 'haed'. Did you mean 'head'\?/);
    expect(() => dgl({ head: '1c4f' })).toThrow(/Unknown head '1c4f'.*auglocal-dgl/);
    expect(() => dgl({ head: '1c2f', featureDimension: 0 })).toThrow(/^dgl: option 'featureDimension' is 0/);
    expect(() => dgl({ widen: 2 })).toThrow(
      /^dgl: head 'auglocal-dgl' has no option 'widen'; heads that have it: 0c1f/,
    );
  });
});
