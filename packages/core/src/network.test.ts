import { describe, expect, it } from 'vitest';
import type { Backbone, BackboneBlock, BlockReference } from './backbone.js';
import type { Block } from './block.js';
import type { Head } from './head.js';
import { independentPlan } from './local-plan.js';
import { createNetwork } from './network.js';
import { validatePlan } from './plan.js';
import type { Shape3 } from './shapes.js';

/** Block i maps i+1 channels to i+2. */
function backboneOf(count: number): Backbone {
  const blocks = Array.from({ length: count }, (_, index) => ({
    reference: (index === 0 ? [0, 0] : [1, index - 1]) as BlockReference,
    block: { name: `block${index}`, inputShape: [4, 4, index + 1], outputShape: [4, 4, index + 2] } as unknown as Block,
  }));
  const inputShape: Shape3 = [4, 4, 1];
  return { name: 'line', config: {}, inputShape, classes: 10, blocks, classifier: {} as Head };
}

describe('createNetwork', () => {
  it('assigns every block to exactly one module, in order', () => {
    const backbone = backboneOf(6);
    const { modules, classes, imageShape } = createNetwork(backbone, [2, 1, 3]);
    expect(modules.flatMap((module) => module.members)).toEqual(backbone.blocks);
    expect(modules.map(({ index, name }) => `${index} ${name}`)).toEqual(['0 (1,0)', '1 (1,1)', '2 (1,4)']);
    expect(modules.map(({ inputShape }) => inputShape[2])).toEqual([1, 3, 4]);
    expect(modules.map(({ outputShape }) => outputShape[2])).toEqual([3, 4, 7]);
    expect(modules.map((module) => module.blocks.map((block) => block.name))).toEqual([
      ['block0', 'block1'],
      ['block2'],
      ['block3', 'block4', 'block5'],
    ]);
    expect([classes, imageShape]).toEqual([10, [4, 4, 1]]);
  });

  it('rejects blocks that do not fit the image or the block before them', () => {
    const whole = backboneOf(3);
    const [first, , third] = whole.blocks as [BackboneBlock, BackboneBlock, BackboneBlock];
    expect(() => createNetwork({ ...whole, blocks: [first, third] }, [1, 1])).toThrow(
      "Backbone 'line': block 'block2' (1,1) has inputShape 4×4×3, but the output of block 'block0' (0,0) has shape 4×4×2.",
    );
    expect(() => createNetwork({ ...whole, inputShape: [8, 8, 1] }, [2, 1])).toThrow(
      "Backbone 'line': block 'block0' (0,0) has inputShape 4×4×1, but images have shape 8×8×1.",
    );
  });

  it('rejects blocks of one name or reference, whose random numbers or places would be the same', () => {
    const whole = backboneOf(3);
    const [first, second, third] = whole.blocks as [BackboneBlock, BackboneBlock, BackboneBlock];
    const renamed = { ...third, block: { ...third.block, name: 'block1' } };
    expect(() => createNetwork({ ...whole, blocks: [first, second, renamed] }, [3])).toThrow(
      "Backbone 'line': blocks (1,0) and (1,1) are both named 'block1'; names must be unique.",
    );
    const moved = { ...third, reference: second.reference };
    expect(() => createNetwork({ ...whole, blocks: [first, second, moved] }, [3])).toThrow(
      "Backbone 'line': blocks 'block1' and 'block2' both have the reference (1,0); references must be unique.",
    );
  });

  it('rejects values that are no backbones, and shapes that are none', () => {
    expect(() => createNetwork(undefined as never, [1])).toThrow('The backbone of a network is undefined');
    expect(() => createNetwork({ ...backboneOf(1), inputShape: undefined as never }, [1])).toThrow(
      "The backbone of a network lacks 'inputShape' (list).",
    );
    expect(() => createNetwork({ ...backboneOf(1), inputShape: [4, 4] as never }, [1])).toThrow(
      "Backbone 'line' has inputShape [4,4]; expected three positive integers: height, width, channels.",
    );
  });

  it.each([[[]], [[6, 1]], [[5]], [[0, 6]], [[3.5, 2.5]]])('rejects the partition %j of six blocks', (partition) => {
    expect(() => createNetwork(backboneOf(6), partition)).toThrow(/6 blocks/);
  });
});

describe('independentPlan', () => {
  it('has one objective per module, whose gradient stays within that module', () => {
    const network = createNetwork(backboneOf(4), [2, 1, 1]);
    const factory = { name: 'head', build: (): Head => ({}) as Head };
    const plan = independentPlan('mine', network, factory);
    expect(plan.objectives.map(({ id, role, span }) => ({ id, role, span }))).toEqual([
      { id: 'module0', role: 'independent', span: [0, 0] },
      { id: 'module1', role: 'independent', span: [1, 1] },
      { id: 'final', role: 'final', span: [2, 2] },
    ]);
    expect(() => validatePlan(plan, 3)).not.toThrow();
  });
});
