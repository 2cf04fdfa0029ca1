// Writes the tables of docs/frontier.md from the reports of the lean studies in results.
//   node benchmarks/frontier-tables.mjs [--check] [root of the repository]
import { join } from 'node:path';
import { fail, markers, root, table, writeBetween } from './pages.mjs';

const reference = 'end to end';
const inBothCuts = (...heads) => heads.flatMap((head) => [4, 8].map((modules) => [head, modules]));
/** Rows by study, in order: the name of a condition, or that of a factor's level and the number of modules. */
const studies = {
  'lean-fashion-mnist-resnet32': [
    reference,
    'end to end, recomputed',
    'end to end, 4 micro-batches',
    'end to end, 8 micro-batches',
    'end to end, 4 epochs',
    'end to end, 5 epochs',
    ...inBothCuts('DGL', 'AugLocal', 'LAM', 'lean MLAAN'),
  ],
  'lean-fashion-mnist-resnet56': [
    reference,
    'end to end, recomputed',
    'end to end, 4 micro-batches',
    'end to end, 4 epochs',
    'end to end, 5 epochs',
    ...inBothCuts('DGL', 'lean MLAAN'),
  ],
  'lean-fashion-mnist-resnet110': [
    reference,
    'end to end, recomputed',
    'end to end, 4 micro-batches',
    'end to end, 4 epochs',
    ['DGL', 4],
    ['lean MLAAN', 4],
    ['lean MLAAN', 8],
  ],
  'lean-cifar10-resnet32': [
    reference,
    'end to end, 4 micro-batches',
    'end to end, 6 epochs',
    'end to end, 7 epochs',
    ...inBothCuts('DGL', 'lean MLAAN'),
  ],
  'lean-fashion-mnist-resnet14': [
    reference,
    'end to end, recomputed',
    'end to end, 4 micro-batches',
    'end to end, 8 micro-batches',
    'end to end, 4 epochs',
    'DGL',
    'InfoPro',
    'AugLocal',
    'LAM',
    'MLAAN',
    'lean MLAAN',
  ],
  'lean-fashion-mnist-resnet14-12-epochs': [
    reference,
    'end to end, 4 micro-batches',
    'end to end, 16 epochs',
    'DGL',
    'AugLocal',
    'LAM',
    'MLAAN',
    'lean MLAAN',
  ],
};

for (const [study, rows] of Object.entries(studies)) {
  const results = table(join(root, 'benchmarks/results', study, 'results.csv'));
  const find = (name) => results.find((row) => row.name === name) ?? fail(`${study}: no condition '${name}'`);
  const lines = rows.map((row) => {
    const [head, modules] = Array.isArray(row) ? row : [row];
    const label = modules === undefined ? head : `${head}, K = ${modules}`;
    return lineOf(label, find(modules === undefined ? head : `${head}, modules ${modules}`), find(reference));
  });
  const text = [
    '| row | accuracy, % (95 % CI) | to end to end, points (95 % CI) | peak memory | compute |',
    '|---|---|---|---|---|',
    ...lines,
  ].join('\n');
  writeBetween(join(root, 'docs/frontier.md'), markers(study), text);
}

function lineOf(label, row, whole) {
  const isReference = row.name === reference;
  const { test_accuracy_mean: mean, test_accuracy_low: low, test_accuracy_high: high } = row;
  const mebibytes = isReference ? ` (${(row.peak_bytes / 2 ** 20).toFixed(1)} MiB)` : '';
  const cells = [
    label.startsWith('lean MLAAN') ? `**${label}**` : label,
    `${(100 * mean).toFixed(1)} ± ${(50 * (high - low)).toFixed(1)}`,
    isReference ? '' : differenceOf(row),
    `${times(row.peak_bytes / whole.peak_bytes)}${mebibytes}`,
    times(row.multiply_accumulates / whole.multiply_accumulates),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Recomputation repeats the bits of the reference. */
function differenceOf({ to_reference: mean, to_reference_low: low, to_reference_high: high }) {
  return Number(mean) === 0 && low === '' ? '0' : `${signed(mean)} (${signed(low)} to ${signed(high)})`;
}

function signed(fraction) {
  const rounded = Math.abs(100 * fraction).toFixed(1);
  const sign = fraction < 0 ? '−' : '+';
  return Number(rounded) === 0 ? rounded : `${sign}${rounded}`;
}

function times(value) {
  return `${value === 1 ? '1' : value.toFixed(2)} ×`;
}
