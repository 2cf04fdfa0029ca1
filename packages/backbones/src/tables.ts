import { type BlockReference, LocalgradError, unknownName } from '@localgrad/core';

/** Source of a published partition. */
export type PartitionTable = 'infopro' | 'infopro-balanced-cifar10' | 'infopro-balanced-stl10';

/**
 * Last blocks per module, as `stage,block stage,block …` (docs/methods/networks.md §2, from the InfoPro configuration
 * files; 32 modules and one module per block with a merged stem from MLAAN's).
 */
const rows: Readonly<Record<PartitionTable, Readonly<Record<string, Readonly<Record<number, string>>>>>> = {
  infopro: {
    resnet32: {
      2: '2,1 3,4',
      3: '1,4 2,4 3,4',
      4: '1,2 2,1 3,0 3,4',
      8: '1,0 1,2 1,4 2,1 2,3 3,0 3,2 3,4',
      15: every(5, false),
      16: every(5, true),
    },
    resnet110: {
      2: '2,8 3,17',
      3: '1,17 2,17 3,17',
      4: '1,11 2,7 3,3 3,17',
      8: '1,4 1,11 2,0 2,7 2,14 3,3 3,10 3,17',
      16: '1,1 1,4 1,7 1,10 1,13 1,16 2,1 2,4 2,7 2,11 2,15 3,1 3,5 3,9 3,13 3,17',
      32:
        '1,1 1,2 1,4 1,5 1,7 1,9 1,11 1,13 1,14 1,16 1,17 2,1 2,2 2,4 2,5 2,7 2,9 2,11 2,13 2,14 2,16 2,17 ' +
        '3,1 3,3 3,4 3,6 3,7 3,9 3,11 3,13 3,15 3,17',
      54: every(18, false),
      55: every(18, true),
    },
  },
  'infopro-balanced-cifar10': { resnet110: { 2: '1,14 3,17', 3: '1,9 2,2 3,17', 4: '1,6 1,14 2,8 3,17' } },
  'infopro-balanced-stl10': { resnet110: { 2: '1,14 3,17', 3: '1,8 2,1 3,17', 4: '1,6 1,14 2,8 3,17' } },
};

function every(perStage: number, withStem: boolean): string {
  const blocks = [1, 2, 3].flatMap((stage) => Array.from({ length: perStage }, (_, index) => `${stage},${index}`));
  return [...(withStem ? ['0,0'] : []), ...blocks].join(' ');
}

/**
 * The published partition of a backbone into K modules, for `resolvePartition(blocks, { lastBlocks })`.
 *
 * @throws LocalgradError `invalid-option` when the table has no such partition, `unknown-name` for unknown tables; the
 *   message lists the available ones
 */
export function publishedPartition(
  backbone: string,
  modules: number,
  table: PartitionTable = 'infopro',
): BlockReference[] {
  if (!Object.hasOwn(rows, table)) throw unknownName('partition table', table, Object.keys(rows));
  const row = rows[table][backbone]?.[modules];
  if (row === undefined) {
    const known = Object.entries(rows[table])
      .map(([name, entries]) => `${name} (${Object.keys(entries).join(', ')})`)
      .join('; ');
    throw new LocalgradError(
      'invalid-option',
      `Table '${table}' has no partition of ${backbone} into ${modules} modules; it has: ${known}. Use strategy even or balanced-memory.`,
      { table, backbone, modules },
    );
  }
  return row.split(' ').map((entry) => {
    const [stage = 0, index = 0] = entry.split(',').map(Number);
    return [stage, index];
  });
}
