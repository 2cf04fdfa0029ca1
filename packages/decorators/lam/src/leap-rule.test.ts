import type { BlockReference, Network } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { lam, ruleChain } from './index.js';
import { host, networkOf, text } from './lam-plan.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
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
      '20 30 31',
      '20 30 31',
      '30 31',
      '30 31',
      '31',
      '',
    ]);
  });

  /** A network of blocks `stage.index` with the width of their input and output; each of them is a module. */
  const networkOfBlocks = (...described: readonly (readonly [BlockReference, number, number])[]): Network => {
    const blocks = described.map(([reference, from, to]) => {
      return { reference, block: { inputShape: [4, 4, from], outputShape: [4, 4, to] } };
    });
    return { backbone: { blocks }, modules: blocks.map((block) => ({ members: [block] })) } as unknown as Network;
  };

  it('prefers the first blocks of stages to blocks that change the shape', () => {
    const network = networkOfBlocks(
      ...([
        [[1, 0], 1, 1],
        [[2, 0], 1, 2],
        [[2, 1], 2, 2],
        [[3, 0], 2, 2],
        [[3, 1], 2, 2],
      ] as const),
      ...([
        [[3, 2], 2, 2],
        [[3, 3], 2, 2],
      ] as const),
    );
    expect([0, 1, 2, 3].map((module) => text(ruleChain(network, module, 3)))).toEqual([
      '20 30 33',
      '30 32 33',
      '30 32 33',
      '31 32 33',
    ]);
  });

  it('skips blocks that preserve the shape if the first blocks of stages do not fit', () => {
    const network = networkOfBlocks([[1, 0], 1, 1], [[1, 1], 1, 2], [[2, 0], 2, 2], [[2, 1], 2, 3]);
    expect([1, 2, 3].map((length) => text(ruleChain(network, 0, length)))).toEqual(['11 21', '11 21', '11 20 21']);
  });

  it('spreads the remaining blocks of a chain evenly over the last stage', () => {
    const network = networkOf(32, { modules: 4 });
    expect([1, 2, 3, 4, 5, 6, 9].map((length) => text(ruleChain(network, 0, length)))).toEqual([
      '20 30 34',
      '20 30 34',
      '20 30 34',
      '20 30 32 34',
      '20 30 31 33 34',
      '20 30 31 32 33 34',
      '20 30 31 32 33 34',
    ]);
  });

  it('skips stage 1, which preserves the shape, for a stem that is its own module', () => {
    const lastBlocks = [
      [0, 0],
      [1, 1],
      [2, 1],
      [3, 1],
    ] as const;
    const network = networkOf(14, { lastBlocks });
    expect([0, 1].map((module) => text(ruleChain(network, module, 4)))).toEqual(['20 30 31', '20 30 31']);
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
