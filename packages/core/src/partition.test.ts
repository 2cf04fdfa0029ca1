import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BackboneBlock, BlockReference } from './backbone.js';
import type { Block } from './block.js';
import { LocalgradError } from './errors.js';
import { type PartitionSpec, resolvePartition } from './partition.js';

/** A sequence of blocks with a memory cost only; `bytes` is the residual size besides the 4-byte output. */
function line(perStage: readonly number[], bytes: (position: number) => number = () => 0): BackboneBlock[] {
  const references: BlockReference[] = [[0, 0]];
  perStage.forEach((count, stage) => {
    for (let index = 0; index < count; index++) references.push([stage + 1, index]);
  });
  return references.map((reference, position) => ({
    reference,
    block: { outputShape: [1, 1, 1], cost: { residualBytes: () => bytes(position) } } as unknown as Block,
  }));
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const resnet32 = line([5, 5, 5]);
const codeOf = (action: () => unknown): string | undefined => {
  try {
    action();
  } catch (error) {
    return LocalgradError.isInstance(error) ? error.code : 'another error';
  }
  return undefined;
};

/** Number of body blocks, number of modules, and placement of the stem: all valid combinations. */
const possible = fc.integer({ min: 1, max: 20 }).chain((body) =>
  fc.constantFrom('merged' as const, 'own' as const).chain((stemModule) =>
    fc.record({
      body: fc.constant(body),
      stemModule: fc.constant(stemModule),
      modules: stemModule === 'own' ? fc.integer({ min: 2, max: body + 1 }) : fc.integer({ min: 1, max: body }),
      bytes: fc.array(fc.integer({ min: 0, max: 100 }), { minLength: body + 1, maxLength: body + 1 }),
    }),
  ),
);

describe('resolvePartition', () => {
  it('makes one module of a single block', () => {
    const single = resnet32.slice(0, 1);
    for (const stemModule of ['merged', 'own'] as const) {
      for (const strategy of ['even', 'balanced-memory'] as const) {
        expect(resolvePartition(single, { modules: 1, stemModule, strategy })).toEqual([1]);
      }
      expect(() => resolvePartition(single, { modules: 2, stemModule })).toThrow(/into 2 modules; allowed: 1\.$/);
    }
    expect(resolvePartition(single, { modules: 1 })).toEqual([1]);
  });

  it.each([
    [1, [16]],
    [2, [8, 8]],
    [3, [6, 5, 5]],
    [4, [4, 4, 4, 4]],
    [5, [4, 3, 3, 3, 3]],
    [8, [2, 2, 2, 2, 2, 2, 2, 2]],
    [15, [2, ...Array(14).fill(1)]],
    [16, Array(16).fill(1)],
  ])('even: splits 15 blocks and a stem into %i modules', (modules, sizes) => {
    expect(resolvePartition(resnet32, { modules })).toEqual(sizes);
  });

  it('makes the stem its own module on request, or when there are as many modules as blocks', () => {
    expect(resolvePartition(resnet32, { modules: 4, stemModule: 'own' })).toEqual([1, 5, 5, 5]);
    expect(resolvePartition(line([2, 2, 2]), { modules: 7 })).toEqual([1, 1, 1, 1, 1, 1, 1]);
    expect(resolvePartition(line([2, 2, 2]), { modules: 6 })).toEqual([2, 1, 1, 1, 1, 1]);
  });

  it.each(['even', 'balanced-memory'] as const)(
    '%s: covers all blocks in order, with the stem as requested',
    (strategy) => {
      fc.assert(
        fc.property(possible, ({ body, stemModule, modules, bytes }) => {
          const blocks = line([body], (position) => bytes[position] as number);
          const sizes = resolvePartition(blocks, { modules, strategy, stemModule });
          expect(sizes).toHaveLength(modules);
          expect(sizes.every((size) => Number.isInteger(size) && size >= 1)).toBe(true);
          expect(sum(sizes)).toBe(body + 1);
          if (stemModule === 'own') expect(sizes[0]).toBe(1);
          else expect(sizes[0]).toBeGreaterThanOrEqual(2);
        }),
      );
    },
  );

  it('even: module sizes differ by at most one block, with the larger ones last', () => {
    fc.assert(
      fc.property(possible, ({ body, stemModule, modules }) => {
        const sizes = resolvePartition(line([body]), { modules, stemModule });
        // A separate stem does not count as a block; a merged one may (docs/methods/networks.md §3).
        const withStem = stemModule === 'own' ? sizes.slice(1) : sizes;
        const withoutStem = withStem.map((size, index) => (index === 0 && stemModule === 'merged' ? size - 1 : size));
        const isEven = (counts: readonly number[]) =>
          counts.every((count, index) => index === 0 || count >= (counts[index - 1] as number)) &&
          (counts.at(-1) as number) - (counts[0] as number) <= 1;
        expect(isEven(withStem) || isEven(withoutStem), sizes.join()).toBe(true);
        if (body % (stemModule === 'own' ? modules - 1 : modules) === 0) {
          expect(new Set(withoutStem).size, sizes.join()).toBe(1);
        }
      }),
    );
  });

  it('balanced-memory: minimizes the memory of the largest module', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }).chain((body) =>
          fc.record({
            modules: fc.integer({ min: 1, max: body }),
            bytes: fc.array(fc.integer({ min: 0, max: 100 }), { minLength: body + 1, maxLength: body + 1 }),
          }),
        ),
        ({ modules, bytes }) => {
          const blocks = line([bytes.length - 1], (position) => bytes[position] as number);
          const sizes = resolvePartition(blocks, { modules, strategy: 'balanced-memory', stemModule: 'merged' });
          const largest = (candidate: readonly number[]) => {
            let start = 0;
            return Math.max(
              ...candidate.map((size) => {
                const part = bytes.slice(start, start + size);
                start += size;
                return sum(part) + 4 * part.length;
              }),
            );
          };
          const best = Math.min(
            ...compositions(bytes.length, modules)
              .filter(([first]) => (first ?? 0) >= 2)
              .map(largest),
          );
          expect(largest(sizes)).toBe(best);
        },
      ),
    );
  });

  it('sizes and lastBlocks describe the same partitions', () => {
    fc.assert(
      fc.property(possible, ({ body, modules, stemModule }) => {
        const blocks = line([body]);
        const sizes = resolvePartition(blocks, { modules, stemModule });
        let end = -1;
        const lastBlocks = sizes.map((size) => {
          end += size;
          return (blocks[end] as BackboneBlock).reference;
        });
        expect(resolvePartition(blocks, { sizes })).toEqual(sizes);
        expect(resolvePartition(blocks, { lastBlocks })).toEqual(sizes);
      }),
    );
  });

  it('rejects impossible partitions and lists the possible values', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.oneof(fc.integer({ min: -3, max: 30 }), fc.double()),
        (body, modules) => {
          fc.pre(!(Number.isInteger(modules) && modules >= 1 && modules <= body + 1));
          expect(codeOf(() => resolvePartition(line([body]), { modules }))).toBe('invalid-option');
        },
      ),
    );
    expect(() => resolvePartition(resnet32, { modules: 17 })).toThrow(/allowed: 1 to 15, or 16 with the stem/);
    expect(() => resolvePartition(resnet32, { modules: 1, stemModule: 'own' })).toThrow(/allowed: 2 to 16\./);
    expect(() => resolvePartition(resnet32, { modules: 16, stemModule: 'merged' })).toThrow(/allowed: 1 to 15/);
  });

  it.each<[unknown, RegExp]>([
    [{ modules: 4, strategy: 'odd' }, /'odd'.*allowed: even, balanced-memory/],
    [{ modules: 4, stemModule: 'shared' }, /'shared'; allowed: merged, own/],
    [{ modules: 4, stratgey: 'even' }, /Did you mean 'strategy'/],
    [{ sizes: [16], modules: 1 }, /Allowed: sizes/],
    [{ lastBlocks: [[3, 4]], modules: 1 }, /Allowed: lastBlocks/],
    [{ sizes: [] }, /sum to the 16 blocks/],
    [{ sizes: [17, -1] }, /sum to 16.*integers ≥ 1/],
    [{ sizes: [15.5, 0.5] }, /integers ≥ 1/],
    [{ sizes: [8, 7] }, /sum to 15/],
    [{ lastBlocks: [] }, /end with \(3,4\)/],
    [{ lastBlocks: [[1, 0]] }, /end with \(3,4\)/],
    [
      {
        lastBlocks: [
          [2, 0],
          [1, 0],
          [3, 4],
        ],
      },
      /ascending order/,
    ],
    [
      {
        lastBlocks: [
          [3, 4],
          [3, 4],
        ],
      },
      /ascending order/,
    ],
    [
      {
        lastBlocks: [
          [1, 9],
          [3, 4],
        ],
      },
      /\(1,9\).*Its blocks: \(0,0\) \(1,0\)/,
    ],
  ])('rejects %j', (spec, message) => {
    expect(() => resolvePartition(resnet32, spec as PartitionSpec)).toThrow(message);
  });
});

/** All compositions of `total` into `parts` positive integers. */
function compositions(total: number, parts: number): number[][] {
  if (parts === 1) return [[total]];
  const result: number[][] = [];
  for (let first = 1; first <= total - parts + 1; first++) {
    for (const rest of compositions(total - first, parts - 1)) result.push([first, ...rest]);
  }
  return result;
}
