// Writes the table of docs/results.md §2, steps beside PyTorch's, from the files of `bench step` in results.
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

const runs = files.map(([, name, runtime, backend]) => {
  const rows = table(join(root, 'benchmarks/results', name));
  const isRight = rows.every(
    (row) => row.runtime.startsWith(`${runtime}.`) && ['pytorch-cpu', backend].includes(row.backend),
  );
  if (!isRight) fail(`${name}: ${runtime} with ${backend} beside pytorch-cpu is required`);
  return new Map(rows.map((row) => [row.method, row]));
});
const lines = steps.map(([label, method]) => {
  const [first, ...others] = runs.map((run) => run.get(method) ?? fail(`${method}: a file has no such row`));
  const times = [first, ...others].map((row) => `${milliseconds(row)}, ${ratio(row.time_relative_to_pytorch)}`);
  return `| ${[label, ...times, ratio(first.memory_relative_to_pytorch)].join(' | ')} |`;
});
const columns = ['step', ...files.map(([label]) => label), 'memory on `wasm`'];
const text = [`| ${columns.join(' | ')} |`, `|${columns.map(() => '---|').join('')}`, ...lines].join('\n');
writeBetween(join(root, 'docs/results.md'), markers('steps'), text);

function milliseconds({ step_ms_median: median }) {
  return `${Math.round(Number(median)).toLocaleString('en-US')} ms`;
}

function ratio(value) {
  return `${Number(value).toFixed(2)} ×`;
}
