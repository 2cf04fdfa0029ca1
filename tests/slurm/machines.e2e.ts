import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resultIn } from '../sweep/results.js';

const root = resolve(import.meta.dirname, '../..');
const program = join(root, 'apps/benchmark/dist/cli.js');
const slurm = join(root, 'tools/slurm/one-node.sh');

const started = process.getuid?.() === 0 ? spawnSync(slurm, ['start'], { encoding: 'utf8' }) : undefined;
const missing =
  started === undefined
    ? 'root is required'
    : started.status === 0
      ? undefined
      : started.stderr.trim() || 'it did not start';
if (missing !== undefined) console.warn(`\nSKIPPED: could not start a single-node Slurm: ${missing}\n`);

const config = `
method: dgl
backbone: resnet8
width: 2
modules: 4
resize: 8
trainImages: 400
testImages: 100
batch: 20
epochs: 20
backend: wasm
threads: 1
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-slurm-machines-'));
  writeFileSync(join(folder, 'run.yaml'), config);
  writeFileSync(
    join(folder, 'job.sh'),
    `#!/bin/bash
#SBATCH --ntasks=2
#SBATCH --open-mode=append
#SBATCH --output=job.log
export LOCALGRAD_TOKEN=$(openssl rand -hex 32)
train='echo $$ > rank$SLURM_PROCID.pid; exec ${process.execPath} ${program} train run.yaml --workers 2 --output run --checkpoint-steps 10'
srun --label bash -c "$train"
`,
  );
});
afterAll(() => {
  if (missing === undefined) spawnSync(slurm, ['stop']);
  rmSync(folder, { recursive: true, force: true });
});

const sbatch = (...args: string[]) =>
  spawnSync('sbatch', [...args, 'job.sh'], { cwd: folder, encoding: 'utf8', timeout: 300_000 });
function log(): string {
  const file = join(folder, 'job.log');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

function checkpoints(): string[] {
  const path = join(folder, 'run', 'checkpoints');
  return existsSync(path) ? readdirSync(path) : [];
}

const isQueued = () => spawnSync('squeue', ['--noheader', '--me'], { encoding: 'utf8' }).stdout.trim() !== '';

async function until(what: string, condition: () => boolean, seconds: number): Promise<void> {
  for (const end = Date.now() + 1000 * seconds; Date.now() < end; await delay(200)) if (condition()) return;
  throw new Error(`${what} did not happen in ${seconds} s:\n${log()}`);
}

describe.skipIf(missing !== undefined)('a run on two tasks of a Slurm step', () => {
  it('ends on both when one is killed, and resumes with the results of one process', async () => {
    for (const [jobs, rank] of [1, 0].entries()) {
      const before = checkpoints();
      sbatch();
      const joined = /^0: .* has joined; 2 of 2 machines\.$/gm;
      await until('the start of both tasks', () => (log().match(joined) ?? []).length > jobs, 120);
      await until('a new checkpoint', () => checkpoints().some((name) => !before.includes(name)), 120);
      process.kill(Number(readFileSync(join(folder, `rank${rank}.pid`), 'utf8')), 'SIGKILL');
      await until('the end of the job', () => !isQueued(), 60);
    }
    expect(log()).toMatch(/^0: localgrad: Lost rank 1 \(.*\): its connection was closed\.$/m);
    expect(log()).toMatch(/^1: localgrad: Lost rank 0 \(.*\): its connection was closed\.$/m);

    expect(sbatch('--wait').status).toBe(0);
    const straight = spawnSync(process.execPath, [program, 'train', 'run.yaml', '--output', 'alone'], { cwd: folder });
    expect(straight.status).toBe(0);
    expect(resultIn(join(folder, 'run')).epochs).toEqual(resultIn(join(folder, 'alone')).epochs);
    const [run, alone] = ['run', 'alone'].map((name) => readFileSync(join(folder, name, 'weights.safetensors')));
    expect(run?.equals(alone ?? new Uint8Array())).toBe(true);
  });
});
