import { type Backbone, type BackboneBlock, createNetwork, type HeadContext, validatePlan } from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import { describe, expect, it } from 'vitest';
import { greedy } from './index.js';

const widths = [16, 16, 32, 64];
const inputShape = [8, 8, 3];
const blocks = widths.map((channels, index) => {
  const block = { name: `block${index}`, inputShape: [8, 8, widths[index - 1] ?? 3], outputShape: [8, 8, channels] };
  return { reference: [1, index], block } as unknown as BackboneBlock;
});
const network = createNetwork({ inputShape, blocks } as unknown as Backbone, [1, 1, 1, 1]);

describe('greedy', () => {
  it('trains each module separately with the smallest head, and the last one with the classifier', () => {
    const plan = greedy().plan(network);
    expect(plan.objectives.map(({ role, span }) => [role, ...span])).toEqual([
      ['independent', 0, 0],
      ['independent', 1, 1],
      ['independent', 2, 2],
      ['final', 3, 3],
    ]);
    const scope = createScope(1);
    const sizes = plan.objectives.slice(0, -1).map(({ head }, module) => {
      const inputShape = network.modules[module]?.outputShape;
      const context = {
        module,
        modules: 4,
        inputShape,
        moduleInputShape: inputShape,
        finalShape: [8, 8, 64],
        classes: 10,
        imageShape: [8, 8, 3],
      };
      const built = head.factory?.build(context as unknown as HeadContext, scope.scope(head.key));
      return built?.parameters.reduce((sum, parameter) => sum + parameter.size, 0);
    });
    // docs/methods/heads.md §1: 0c1f at 16, 32 channels.
    expect(sizes).toEqual([170, 170, 330]);
    expect(plan.objectives.at(-1)?.head.factory).toBeUndefined();
    expect(() => validatePlan(plan, 4)).not.toThrow();
  });

  it('is backpropagation for a single module', () => {
    const { objectives } = greedy().plan(createNetwork({ inputShape, blocks } as unknown as Backbone, [4]));
    expect(objectives).toHaveLength(1);
    expect(objectives[0]).toMatchObject({ role: 'final', span: [0, 0] });
  });

  it('has a config and no options', () => {
    expect(JSON.parse(JSON.stringify(greedy().config))).toEqual({ method: 'greedy' });
    expect(() => greedy({ head: '1c2f' } as never)).toThrow("Unknown option of greedy 'head'. Allowed: none.");
  });
});
