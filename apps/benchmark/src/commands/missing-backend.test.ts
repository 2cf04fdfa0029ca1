import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diagnose } from '@localgrad/backends';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCaptured as run } from '../command-line.fixture.js';

const missing = (await diagnose()).backends.find(({ available }) => !available)?.name ?? '';

const experiment = `name: small
title: Small
base: { backbone: resnet8, width: 2, modules: 2, resize: 8, trainImages: 40, testImages: 20, epochs: 1, batch: 20, threads: 1 }
include:
  - { name: here, backend: cpu, method: greedy }
  - { name: elsewhere, backend: ${missing}, method: dgl }
seeds: 1
`;

let folder: string;
let before: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'localgrad-missing-backend-'));
  before = process.cwd();
  process.chdir(folder);
});
afterAll(async () => {
  process.chdir(before);
  await rm(folder, { recursive: true, force: true });
});

describe.runIf(missing !== '')('a backend that this machine does not have', () => {
  it.each([
    ['quickstart', /^localgrad: --backend: Backend '[\w-]+' is not available: .+\n$/],
    ['train', /^localgrad: Backend '[\w-]+' is not available: .+\n$/],
  ])('is reported by %s before any folder is written', async (command, message) => {
    const { exitCode, stderr } = await run(command, '--backend', missing, '--output', 'out');
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(message);
    expect(await readdir('.')).toEqual([]);
  });

  it('is reported by sweep run with the conditions that need it; a folder for other machines is written', async () => {
    await writeFile('small.yaml', experiment);
    const { exitCode, stderr } = await run('sweep', 'run', 'small.yaml', '--executor', 'debug');
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(
      /^localgrad: small\.yaml:6:\d+: condition 'elsewhere' cannot run: backend: Backend '[\w-]+' is not available: .+\n$/,
    );
    expect(await readdir('.')).toEqual(['small.yaml']);
    const others = await run('sweep', 'run', 'small.yaml', '--executor', 'debug', '--only', 'here');
    expect(others.stderr).toContain('finished  here, seed 1');
    expect((await run('sweep', 'prepare', 'small.yaml', '--folder', 'prepared')).exitCode).toBe(0);
    expect(await readdir('prepared')).toContain('sweep.json');
  });
});
