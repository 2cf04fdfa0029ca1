import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runCaptured as run } from '../command-line.fixture.js';

const keys = {
  backbone: 'resnet8',
  width: 2,
  modules: 2,
  resize: 8,
  trainImages: 40,
  testImages: 20,
  batch: 20,
  epochs: 1,
  learningRate: 1e6,
  backend: 'wasm',
  threads: 1,
};

it('train ends with exit code 3 where the last step makes the test loss NaN', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'localgrad-diverged-'));
  const file = join(folder, 'run.yaml');
  await writeFile(file, JSON.stringify(keys));
  const { exitCode, stdout, stderr } = await run('train', file, '--output', join(folder, 'run'));
  expect(exitCode).toBe(3);
  expect(stdout).toMatch(/^DIVERGED {8}the test loss is .*: the accuracy below is not a result\n/);
  expect(stderr).toMatch(/localgrad: The run has diverged: the test loss is /);
  const again = await run('train', file, '--output', join(folder, 'run'), '--json');
  expect(again.exitCode).toBe(3);
  expect(JSON.parse(again.stdout)).toMatchObject({ status: 'diverged', wasFinished: true });
});

it('a sweep lists the runs that diverged', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'localgrad-diverged-'));
  const file = join(folder, 'two.yaml');
  const base = JSON.stringify({ ...keys, method: '{host}' });
  await writeFile(file, `name: two\nbase: ${base}\nfactors: { host: [dgl, greedy] }\nseeds: 1\n`);
  const sweep = join(folder, 'sweep');
  const { exitCode, stdout, stderr } = await run('sweep', 'run', file, '--folder', sweep, '--executor', 'debug');
  expect(exitCode).toBe(0);
  expect(stderr).toMatch(/finished {2}dgl, seed 1 .*: diverged: the test loss is/);
  expect(stdout.match(/^DIVERGED {2}\w+, seed 1: the test loss is .*; left out of means$/gm)).toHaveLength(2);
  expect((await run('sweep', 'status', sweep)).stdout).toMatch(/dgl, seed 1 +diverged/);
  const status = JSON.parse((await run('sweep', 'status', sweep, '--json')).stdout);
  expect(status).toMatchObject({
    counts: { finished: 2 },
    diverged: [{ name: 'dgl, seed 1' }, { name: 'greedy, seed 1' }],
  });
});
