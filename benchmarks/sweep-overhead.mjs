// What a sweep costs besides its runs: a queue of short runs on this machine.
//   node benchmarks/sweep-overhead.mjs [--runs 200] [--epochs 3] [--processes N] [--output FILE.csv]
// A run counts from its claim to its summary. The rest of workers × wall time is overhead: starting processes, looking for
// work, claims, progress.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ownOutput } from './own-output.mjs';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '200' },
    epochs: { type: 'string', default: '3' },
    processes: { type: 'string', default: String(availableParallelism()) },
    output: { type: 'string' },
  },
});
const columns = [
  'runs',
  'processes',
  'wall_seconds',
  'seconds_a_run',
  'training_and_evaluation_share',
  'overhead_share',
  'processor',
];
const write = await ownOutput(values.output, columns.join());
const program = resolve(import.meta.dirname, '../apps/benchmark/dist/cli.js');
const folder = mkdtempSync(join(tmpdir(), 'localgrad-overhead-'));
const file = join(folder, 'experiment.yaml');
writeFileSync(
  file,
  `name: overhead
base: { method: greedy, backbone: resnet14, width: 4, modules: 7, resize: 16, trainImages: 5000, testImages: 1000, epochs: ${values.epochs}, batch: 50, backend: wasm, threads: 1 }
seeds: ${values.runs}
`,
);
const sweep = join(folder, 'sweep');
const start = Date.now();
const child = spawn(
  process.execPath,
  [program, 'sweep', 'run', file, '--folder', sweep, '--processes', values.processes],
  {
    stdio: ['ignore', 'ignore', 'inherit'],
  },
);
const code = await new Promise((done) => child.once('exit', done));
const wall = (Date.now() - start) / 1000;
if (code !== 0) throw new Error(`the sweep ended with exit code ${code}`);

let inRuns = 0;
let inTraining = 0;
const runs = readdirSync(join(sweep, 'runs'));
for (const run of runs) {
  const at = (name) => join(sweep, 'runs', run, name);
  const claim = JSON.parse(readFileSync(at('claims/000001.json'), 'utf8'));
  inRuns += (statSync(at('claims/000001.json')).mtimeMs - Date.parse(claim.startedAt)) / 1000;
  inTraining += JSON.parse(readFileSync(at('summary.json'), 'utf8')).totalSeconds;
}
rmSync(folder, { recursive: true, force: true });

const available = wall * Number(values.processes);
const row = {
  runs: runs.length,
  processes: values.processes,
  wall_seconds: wall.toFixed(1),
  seconds_a_run: (inRuns / runs.length).toFixed(3),
  training_and_evaluation_share: (inTraining / available).toFixed(4),
  overhead_share: (1 - inRuns / available).toFixed(4),
  processor: cpus()[0]?.model ?? '',
};
console.log(row);
const cells = columns.map((column) => String(row[column]));
await write([cells.map((value) => (/[",]/.test(value) ? JSON.stringify(value) : value)).join(',')]);
