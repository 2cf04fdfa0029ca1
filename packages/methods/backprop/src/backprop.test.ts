import { type Backbone, type BackboneBlock, createNetwork, validatePlan } from '@localgrad/core';
import { describe, expect, it } from 'vitest';
import { backprop } from './index.js';

const shape = [1, 1, 1];

/** Backpropagation only uses the number of modules. */
const network = (modules: number) => {
  const blocks = Array.from({ length: modules }, (_, index) => {
    const block = { name: `block${index}`, inputShape: shape, outputShape: shape };
    return { reference: [1, index], block } as unknown as BackboneBlock;
  });
  return createNetwork({ inputShape: shape, blocks } as unknown as Backbone, Array<number>(modules).fill(1));
};

describe('backprop', () => {
  it.each([1, 2, 16])('has one loss, whose span covers all of %i modules', (modules) => {
    const plan = backprop().plan(network(modules));
    expect(plan.objectives).toHaveLength(1);
    expect(plan.objectives[0]).toMatchObject({ id: 'final', role: 'final', span: [0, modules - 1], weight: 1 });
    expect(plan.objectives[0]?.head).toEqual({ key: 'classifier' });
    expect(plan.hooks).toEqual([]);
    expect(() => validatePlan(plan, modules)).not.toThrow();
  });

  it('has a config and no options', () => {
    expect(JSON.parse(JSON.stringify(backprop().config))).toEqual({ method: 'backprop' });
    expect(() => backprop({ head: '0c1f' } as never)).toThrow("Unknown option of backprop 'head'. Allowed: none.");
  });
});
