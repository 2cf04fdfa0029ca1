import { at, type BlockReference, type Network } from '@localgrad/core';

/** The blocks in the chain of each module, in forward order. */
export type LeapTable = readonly (readonly BlockReference[])[];

interface PublishedTable {
  /** Last block of each module; the table applies only to this partition. */
  readonly modules: string;
  /** `[n, blocks]`: the next n modules have these blocks. */
  readonly chains: readonly (readonly [count: number, blocks: string])[];
}

const everyBlock = (perStage: readonly number[]) =>
  perStage.flatMap((count, stage) => Array.from({ length: count }, (_, index) => `${stage + 1},${index}`)).join(' ');

const resnet32Blocks: PublishedTable['chains'] = [
  [2, '2,0 3,0 3,2 3,4'],
  [1, '2,0 3,0 3,3 3,4'],
  [1, '2,0 3,0 3,2 3,4'],
  [1, '2,0 3,0 3,3 3,4'],
  [5, '3,0 3,2 3,3 3,4'],
  [1, '3,1 3,2 3,4'],
  [1, '3,2 3,3 3,4'],
  [1, '3,3 3,4'],
  [1, '3,4'],
];

const resnet110Blocks: PublishedTable['chains'] = [
  [18, '2,0 3,0 3,2 3,17'],
  [17, '3,0 3,2 3,3 3,17'],
  [1, '3,0 3,3 3,4 3,17'],
  [7, '3,8 3,17'],
  [4, '3,14 3,17'],
  [2, '3,15 3,17'],
  [3, '3,16 3,17'],
  [1, '3,17'],
];

/**
 * The tables of MLAAN's code (docs/methods/lam.md §3). If the stem forms its own module (16 and 55 modules, as counted
 * in the paper), it has the chain of the first block, and the other chains do not change.
 */
const tables: Readonly<Record<string, readonly PublishedTable[]>> = {
  resnet32: [
    {
      modules: '1,0 1,2 1,4 2,1 2,3 3,0 3,2 3,4',
      chains: [
        [2, '2,0 3,0 3,2 3,4'],
        [1, '2,0 3,0 3,3 3,4'],
        [2, '3,0 3,2 3,3 3,4'],
        [1, '3,2 3,3 3,4'],
        [1, '3,3 3,4'],
      ],
    },
    { modules: everyBlock([5, 5, 5]), chains: resnet32Blocks },
    { modules: `0,0 ${everyBlock([5, 5, 5])}`, chains: [[1, '2,0 3,0 3,2 3,4'], ...resnet32Blocks] },
  ],
  resnet110: [
    {
      modules:
        '1,1 1,2 1,4 1,5 1,7 1,9 1,11 1,13 1,14 1,16 1,17 2,1 2,2 2,4 2,5 2,7 2,9 2,11 2,13 2,14 2,16 2,17 ' +
        '3,1 3,3 3,4 3,6 3,7 3,9 3,11 3,13 3,15 3,17',
      chains: [
        [11, '2,0 3,0 3,2 3,17'],
        [10, '3,0 3,2 3,3 3,17'],
        [1, '3,0 3,3 3,4 3,17'],
        [4, '3,8 3,17'],
        [2, '3,14 3,17'],
        [1, '3,15 3,17'],
        [1, '3,16 3,17'],
        [1, '3,17'],
      ],
    },
    { modules: everyBlock([18, 18, 18]), chains: resnet110Blocks },
    { modules: `0,0 ${everyBlock([18, 18, 18])}`, chains: [[1, '2,0 3,0 3,2 3,17'], ...resnet110Blocks] },
  ],
  resnet34: [
    {
      modules: everyBlock([3, 4, 6, 3]),
      chains: [
        [3, '2,0 2,1 3,0 4,0 4,2'],
        [4, '2,1 3,0 4,0 4,2'],
        [6, '3,1 4,0 4,1'],
        [1, '4,1 4,1 4,2'],
        [1, '4,1 4,2'],
      ],
    },
  ],
  resnet101: [
    {
      modules: everyBlock([3, 4, 23, 3]),
      chains: [
        [3, '2,0 3,0 4,0 4,2'],
        [4, '3,0 4,0 4,1'],
        [23, '4,0 4,1'],
        [2, '4,1 4,2'],
      ],
    },
  ],
  resnet152: [
    {
      modules: everyBlock([3, 8, 36, 3]),
      chains: [
        [3, '2,0 3,0 4,0 4,2'],
        [8, '3,0 4,0 4,1'],
        [36, '4,0 4,1'],
        [2, '4,1 4,2'],
      ],
    },
  ],
};

/** The published chains for a backbone and partition, one for each module but the last; undefined if there are none. */
export function publishedChains({ backbone, modules }: Network): LeapTable | undefined {
  const cut = modules.map(({ members }) => members.at(-1)?.reference.join(',')).join(' ');
  const table = (Object.hasOwn(tables, backbone.name) ? tables[backbone.name] : undefined)?.find(
    (candidate) => candidate.modules === cut,
  );
  return table?.chains.flatMap(([count, blocks]) => Array.from({ length: count }, () => parseBlocks(blocks)));
}

function parseBlocks(text: string): BlockReference[] {
  return text.split(' ').map((entry) => {
    const numbers = entry.split(',').map(Number);
    return [at(numbers, 0, 'stage'), at(numbers, 1, 'index')];
  });
}
