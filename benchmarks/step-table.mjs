// Writes the tables of docs/results.md §2, steps beside PyTorch's, from the files of `bench step` in results.
//   node benchmarks/step-table.mjs [--check] [root of the repository]
import { join } from 'node:path';
import { fail, markers, root, table, writeBetween } from './pages.mjs';

/** Runs by column of the table. */
const files = [
  ['`wasm`, Node 20', 'step-wasm-pytorch-2-cores.csv', 'Node 20', 'wasm'],
  ['`wasm`, Node 24', 'step-wasm-pytorch-node24-2-cores.csv', 'Node 24', 'wasm'],
  ['native TensorFlow', 'step-tensorflow-2-cores.csv', 'Node 20', 'tensorflow'],
];
const steps = [
  ['end to end', 'backprop'],
  ['end to end, recomputed in √blocks segments', 'backprop+recompute'],
  ['DGL with 1c2f heads, K = 16', 'dgl(head: 1c2f)'],
  ['MLAAN around greedy, K = 16, beside the literal procedure in PyTorch', 'mlaan(greedy)'],
];

/** Files of other backbones, all on `wasm` and Node 20. */
const backbones = [
  ['ResNet-18, batch 16, 64×64', 'step-resnet18-wasm-pytorch-2-cores.csv'],
  ['ResNet-50 of half the width, batch 16, 64×64', 'step-resnet50-wasm-pytorch-2-cores.csv'],
  ['ResNeXt-50 32×4d of half the width, batch 16, 64×64', 'step-resnext50-wasm-pytorch-2-cores.csv'],
  ['vision transformer, six blocks of width 64, batch 64, 65 tokens', 'step-vit-wasm-pytorch-2-cores.csv'],
];

const runs = files.map(([, name, runtime, backend]) => rowsOf(name, runtime, backend));
const lines = steps.map(([label, method]) => {
  const [first, ...others] = runs.map((run) => run.get(method) ?? fail(`${method}: a file has no such row`));
  return [label, ...[first, ...others].map(timeOf), ratio(first.memory_relative_to_pytorch)];
});
write('steps', ['step', ...files.map(([label]) => label), 'memory on `wasm`'], lines);

const byBackbone = backbones.map(([label, name]) => {
  const rows = [...rowsOf(name, 'Node 20', 'wasm').values()];
  const [plain, dgl, mlaan] = ['backprop', 'dgl(', 'mlaan('].map(
    (start) => rows.find(({ method }) => method.startsWith(start)) ?? fail(`${name} has no row of ${start}`),
  );
  const memory = [plain, dgl, mlaan].map((row) => ratio(row.memory_relative_to_pytorch)).join(', ');
  return [`[${label}](../benchmarks/results/${name})`, ...[plain, dgl, mlaan].map(timeOf), memory];
});
write('backbones', ['backbone', 'end to end', 'DGL', 'MLAAN, beside the literal procedure', 'memory'], byBackbone);

function rowsOf(name, runtime, backend) {
  const rows = table(join(root, 'benchmarks/results', name));
  const isRight = rows.every(
    (row) => row.runtime.startsWith(`${runtime}.`) && ['pytorch-cpu', backend].includes(row.backend),
  );
  if (!isRight) fail(`${name}: ${runtime} with ${backend} beside pytorch-cpu is required`);
  return new Map(rows.map((row) => [row.method, row]));
}

function write(name, columns, rows) {
  const [header, ...lines] = [columns, ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  const text = [header, `|${columns.map(() => '---|').join('')}`, ...lines].join('\n');
  writeBetween(join(root, 'docs/results.md'), markers(name), text);
}

function timeOf(row) {
  return `${milliseconds(row)}, ${ratio(row.time_relative_to_pytorch)}`;
}

function milliseconds({ step_ms_median: median }) {
  return `${Math.round(Number(median)).toLocaleString('en-US')} ms`;
}

function ratio(value) {
  return `${Number(value).toFixed(2)} ×`;
}
