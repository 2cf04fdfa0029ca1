import { type BlockReference, LocalgradError, unknownName } from '@localgrad/core';

/** Sources of published partitions: the code of methods. */
export const partitionTables = [
  ...(['infopro', 'infopro-balanced-cifar10', 'infopro-balanced-stl10'] as const),
  ...(['auglocal', 'mlaan', 'man', 'man++', 'hpff'] as const),
] as const;

/** Source of a published partition. */
export type PartitionTable = (typeof partitionTables)[number];

/**
 * Last blocks per module, as `stage,block stage,block …` (docs/methods/networks.md §2 and §4). `infopro` is from the
 * InfoPro configuration files; 32 modules and one module per block with a merged stem from MLAAN's.
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
    resnet101: { 2: '2,0 4,2' },
    resnet152: { 2: '2,5 4,2' },
    'resnext101-32x8d': { 2: '2,2 4,2' },
  },
  'infopro-balanced-cifar10': { resnet110: { 2: '1,14 3,17', 3: '1,9 2,2 3,17', 4: '1,6 1,14 2,8 3,17' } },
  'infopro-balanced-stl10': { resnet110: { 2: '1,14 3,17', 3: '1,8 2,1 3,17', 4: '1,6 1,14 2,8 3,17' } },
  auglocal: {
    resnet34: { 17: everyBlock([3, 4, 6, 3], true) },
    resnet101: { 34: everyBlock([3, 4, 23, 3], true) },
  },
  mlaan: {
    resnet34: { 16: everyBlock([3, 4, 6, 3], false) },
    resnet101: { 33: everyBlock([3, 4, 23, 3], false) },
    resnet152: { 50: everyBlock([3, 8, 36, 3], false) },
  },
  man: {
    resnet101: { 2: '2,0 4,2' },
    resnet152: { 2: '2,5 4,2' },
    'resnext101-32x8d': { 2: '2,0 4,2' },
  },
  'man++': {
    resnet101: { 4: '2,2 3,8 3,16 4,2' },
    resnet152: { 4: '2,6 3,13 3,25 4,2' },
    'resnext101-32x8d': { 4: '2,2 3,8 3,16 4,2' },
    'vit-tiny': { 4: '1,2 1,5 1,8 1,11' },
    'vit-small': { 4: '1,2 1,5 1,8 1,11' },
    'vit-base': { 4: '1,2 1,5 1,8 1,11' },
  },
  hpff: {
    resnet34: { 4: '2,0 3,0 3,5 4,2' },
    resnet101: { 4: '3,0 3,9 3,17 4,2', 8: '2,0 3,1 3,5 3,9 3,13 3,17 3,21 4,2' },
    resnet152: { 4: '3,0 3,9 3,17 4,2' },
    'resnext101-32x8d': { 4: '3,0 3,9 3,17 4,2' },
  },
};

function everyBlock(perStage: readonly number[], withStem: boolean): string {
  const blocks = perStage.flatMap((count, stage) =>
    Array.from({ length: count }, (_, index) => `${stage + 1},${index}`),
  );
  return [...(withStem ? ['0,0'] : []), ...blocks].join(' ');
}

function every(perStage: number, withStem: boolean): string {
  return everyBlock([perStage, perStage, perStage], withStem);
}

/**
 * The published partition of a backbone into K modules, for `resolvePartition(blocks, { lastBlocks })`.
 *
 * @param table default: InfoPro's, or the only other one that has such a partition
 * @throws LocalgradError `invalid-option` when the table has no such partition, `unknown-name` for unknown tables; the
 *   message lists the available ones
 */
export function publishedPartition(backbone: string, modules: number, table?: PartitionTable): BlockReference[] {
  const source = table ?? onlyTable(backbone, modules) ?? 'infopro';
  if (!Object.hasOwn(rows, source)) throw unknownName('partition table', source, Object.keys(rows));
  const row = rows[source][backbone]?.[modules];
  if (row === undefined) {
    throw new LocalgradError(
      'invalid-option',
      `${table === undefined ? 'No table' : `Table '${table}'`} has a partition of ${backbone} into ${modules} modules; allowed: ${known(table)}. Or use strategy even or balanced-memory.`,
      { table: source, backbone, modules },
    );
  }
  return row.split(' ').map((entry) => {
    const [stage = 0, index = 0] = entry.split(',').map(Number);
    return [stage, index];
  });
}

/**
 * The table that is used where none is named: InfoPro's if it has the partition.
 *
 * @throws LocalgradError `invalid-option` when several others have different ones
 */
function onlyTable(backbone: string, modules: number): PartitionTable | undefined {
  const partitionIn = (table: PartitionTable) => rows[table][backbone]?.[modules];
  if (partitionIn('infopro') !== undefined) return 'infopro';
  const found = partitionTables.filter((table) => partitionIn(table) !== undefined);
  if (new Set(found.map(partitionIn)).size > 1) {
    throw new LocalgradError(
      'invalid-option',
      `The tables ${found.join(' and ')} have different partitions of ${backbone} into ${modules} modules; name one of them, e.g. published:${found[0]}.`,
      { backbone, modules, tables: found },
    );
  }
  return found[0];
}

/** The partitions of a table, or of all tables that are used without being named. */
function known(table: PartitionTable | undefined): string {
  const chosen = table === undefined ? partitionTables.filter((one) => !one.startsWith('infopro-')) : [table];
  return chosen
    .flatMap((one) => Object.entries(rows[one]).map(([name, entries]) => [one, name, Object.keys(entries)] as const))
    .map(([one, name, counts]) => `${name} (${counts.join(', ')})${table === undefined ? ` in ${one}` : ''}`)
    .join('; ');
}
