import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { listAttempts, readSummary } from '@localgrad/runs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runCaptured as run } from '../command-line.fixture.js';

let folder: string;
let before: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'localgrad-sweep-command-'));
  before = process.cwd();
  process.chdir(folder);
});
afterAll(async () => {
  process.chdir(before);
  await rm(folder, { recursive: true, force: true });
});

const experiment = `name: small
title: Small
base: { method: "{add}", backbone: resnet14, width: 4, modules: 3, resize: 8, trainImages: 40, testImages: 20, epochs: 1, batch: 20, backend: wasm, threads: 1, probe: true }
factors:
  add: { none: greedy, MLM: mlm(greedy) }
include:
  - { name: end to end, method: backprop }
seeds: 2
compare: { factor: add, baseline: none }
reference: end to end
trackers: { csv: true, tensorboard: true }
`;

describe('localgrad sweep', () => {
  it('plans, runs, shows the status, reports, and repeats no run', async () => {
    await writeFile('small.yaml', experiment);
    const plan = await run('sweep', 'plan', 'small.yaml', '--json');
    expect(plan.exitCode, plan.stderr).toBe(0);
    const planned = JSON.parse(plan.stdout);
    expect(planned).toMatchObject({ name: 'small', runs: 6, finished: 0, basis: "steps of 'none'" });
    expect(planned.predictedSeconds).toBeGreaterThan(0);
    for (const row of planned.rows) expect(row.predictedPeakBytes).toBeGreaterThan(1e5);

    const first = await run('sweep', 'run', 'small.yaml', '--executor', 'debug');
    expect(first.exitCode, first.stderr).toBe(0);
    expect(first.stdout).toContain('6 runs: 6 finished');
    expect(first.stderr.match(/finished {2}/g)).toHaveLength(6);
    const status = JSON.parse((await run('sweep', 'status', 'localgrad-sweeps/small', '--json')).stdout);
    const runId: string = status.tasks[0].task.runId;
    const runFolder = join('localgrad-sweeps/small/runs', runId);
    const summary = await readSummary(runFolder);
    expect(summary?.probes).toHaveLength(3);
    expect(summary?.cost.unitsOfWork).toBeCloseTo(3, 0);
    expect((await readFile(join(runFolder, 'epochs.csv'), 'utf8')).split('\n')[0]).toContain('test_accuracy');
    expect(parse(await readFile(join(runFolder, 'config.yaml'), 'utf8'))).toMatchObject({ method: 'greedy', seed: 1 });

    const second = await run('sweep', 'run', 'small.yaml', '--executor', 'debug', '--json');
    expect(second.stderr).toBe('');
    expect(JSON.parse(second.stdout)).toMatchObject({ runs: 6, counts: { finished: 6 }, passed: true });
    expect(JSON.parse((await run('sweep', 'plan', 'small.yaml', '--json')).stdout)).toMatchObject({
      finished: 6,
      basis: 'finished runs',
    });

    // A worker that was killed between its summary and the end of its claim.
    await rm(join(runFolder, 'claims'), { recursive: true });
    await mkdir(join(runFolder, 'claims'));
    await mkdir(join(runFolder, 'checkpoints'));
    const lost = { owner: { host: 'elsewhere', pid: 1, startTicks: '1' }, startedAt: '2026-01-02T03:04:05Z' };
    await writeFile(join(runFolder, 'claims/000001.json'), JSON.stringify(lost));
    await utimes(join(runFolder, 'claims/000001.json'), new Date(0), new Date(0));
    expect((await run('sweep', 'run', 'small.yaml', '--executor', 'debug')).exitCode).toBe(0);
    expect(existsSync(join(runFolder, 'checkpoints'))).toBe(false);
    expect((await listAttempts(runFolder)).map(({ outcome }) => outcome)).toEqual([undefined, 'finished']);

    const report = await run('report', 'localgrad-sweeps/small', '--json');
    expect(report.exitCode, report.stderr).toBe(0);
    const { files, finished, runs } = JSON.parse(report.stdout);
    expect([finished, runs]).toEqual([6, 6]);
    const page = await readFile(files.html, 'utf8');
    for (const text of ['MLM', 'end to end', 'localgrad sweep run small.yaml', 'seeds: 2'])
      expect(page).toContain(text);
    // Drawings of the two local methods.
    expect(page.match(/greedy, K = 3|mlm\(greedy\), K = 3/g)?.length).toBeGreaterThanOrEqual(2);
  });

  it('runs chosen conditions with replaced values in a folder of their own, and reports both sweeps together', async () => {
    const trial = ['small.yaml', '--set', 'trainImages=20', '--set', 'seeds=1'];
    const { exitCode, stdout, stderr } = await run(
      ...['sweep', 'run', ...trial, '--only', 'end *', '--executor', 'debug', '--json'],
    );
    expect(exitCode, stderr).toBe(0);
    const folder = 'localgrad-sweeps/small+trainImages=20+seeds=1';
    expect(JSON.parse(stdout)).toMatchObject({
      folder,
      runs: 3,
      counts: { finished: 1, waiting: 2 },
      left: [],
      passed: true,
    });
    const plan = JSON.parse((await run('sweep', 'plan', ...trial, '--only', 'end to end', '--json')).stdout);
    expect(plan).toMatchObject({ runs: 1, finished: 1 });
    expect(JSON.parse((await run('sweep', 'status', ...trial, '--json')).stdout)).toMatchObject({ folder });

    const one = JSON.parse((await run('report', ...trial, '--json')).stdout);
    expect(one).toMatchObject({ finished: 1, runs: 3, folder: `${folder}/report` });
    const whole = 'localgrad-sweeps/small';
    expect((await run('report', whole, folder)).stderr).toContain('add --output FOLDER');
    const both = JSON.parse((await run('report', whole, folder, '--output', 'both', '--json')).stdout);
    expect([both.finished, both.conditions.length]).toEqual([7, 6]);
    const [first] = both.conditions;
    expect(first).toMatchObject({ name: 'small: none', labels: { sweep: 'small', add: 'none' } });
    expect(first.testAccuracy.mean).toBeCloseTo((first.runs[0].testAccuracy + first.runs[1].testAccuracy) / 2);
    expect(await readFile('both/report.html', 'utf8')).toContain(`localgrad report ${whole} ${folder} --output report`);
  });

  it('names the flag in errors about replaced values and chosen conditions', async () => {
    const wrong = await run('sweep', 'run', 'small.yaml', '--set', 'epoch=1');
    expect(wrong.stderr).toMatch(/--set epoch=1: unknown key 'epoch'\. Did you mean 'epochs'\?/);
    const { stderr } = await run('sweep', 'run', 'small.yaml', '--set', 'add=mlm(dgl)', '--only', 'LAM');
    expect(stderr).toContain("--set add=mlm(dgl): unknown key 'add'");
    expect((await run('sweep', 'run', 'small.yaml', '--only', 'LAM')).stderr).toContain("Unknown condition 'LAM'");
    expect((await run('sweep', 'status', 'localgrad-sweeps/small', '--set', 'seeds=1')).stderr).toContain(
      '--set has no effect',
    );
  });

  it('records failures, retries, and reports them at the end', async () => {
    await writeFile(
      'failing.yaml',
      experiment
        .replace('small', 'failing')
        .replace('batch: 20', 'batch: 20, learningRate: 1e30')
        .replace('seeds: 2', 'seeds: 1\nretries: 1'),
    );
    const { exitCode, stdout } = await run('sweep', 'run', 'failing.yaml', '--executor', 'debug', '--json');
    expect(exitCode).toBe(1);
    const { failures, counts } = JSON.parse(stdout);
    expect(counts.failed).toBeGreaterThan(0);
    expect(failures[0].message).toMatch(/loss of objective .* became/);
    const status = JSON.parse((await run('sweep', 'status', 'failing.yaml', '--json')).stdout);
    expect(status.tasks[0].attempts).toHaveLength(2);
  });

  it('finds wrong methods before it runs, at their place', async () => {
    await writeFile('wrong.yaml', experiment.replace('mlm(greedy)', 'mlm(greedi)'));
    const { exitCode, stderr } = await run('sweep', 'run', 'wrong.yaml');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/wrong\.yaml:3:17: method: 'mlm\(greedi\)': .*greedy/);
  });

  it('finds what cannot be built before it runs anything, and says in which condition', async () => {
    await writeFile('uncut.yaml', experiment.replace('modules: 3', 'modules: 3, partition: published'));
    const { exitCode, stderr } = await run('sweep', 'run', 'uncut.yaml', '--folder', 'uncut');
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/uncut\.yaml:3:17: condition 'none' cannot run: .*partition of resnet14 into 3 modules/);
    expect((await run('sweep', 'status', 'uncut')).stderr).toContain("'uncut' contains no sweep");
  });

  it('ends a worker whose machine does not have the backend, and counts no failure of a run', async () => {
    await writeFile('backendless.yaml', experiment.replace('backend: wasm', 'backend: tensorflow-gpu'));
    await run('sweep', 'prepare', 'backendless.yaml', '--folder', 'backendless');
    const { exitCode, stderr } = await run('worker', 'backendless');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /localgrad: This worker stops: its last 3 runs .* Backend 'tensorflow-gpu' is not available/,
    );
    const status = JSON.parse((await run('sweep', 'status', 'backendless', '--json')).stdout);
    expect(status.counts).toMatchObject({ waiting: 6, failed: 0 });
  });

  it('prints a schema that knows the keys of runs, and commands for other schedulers', async () => {
    const schema = JSON.parse((await run('sweep', 'schema')).stdout);
    expect(schema.properties.base.properties.epochs.anyOf[0]).toMatchObject({ type: 'integer' });
    expect(schema.properties.grid.properties.modules.items).toBeDefined();
    expect(schema.additionalProperties).toBe(false);
    const list = await run(
      'sweep',
      'manifest',
      'small.yaml',
      '--kind',
      'shell',
      '--folder',
      'queued',
      '--runs-per-job',
      '4',
    );
    const lines = list.stdout.trim().split('\n');
    expect(lines.map((line) => line.replace(/^.* worker/, 'worker'))).toEqual([
      'worker queued --task 0,1,2,3',
      'worker queued --task 4,5',
    ]);
    const { stdout } = await promisify(execFile)('sh', ['-c', `set -- ${lines[0]}; echo $#`]);
    expect(Number(stdout)).toBe(6);
    const script = await run(
      'sweep',
      'run',
      'small.yaml',
      '--folder',
      'queued',
      '--executor',
      'slurm',
      '--dry-run',
      '--json',
    );
    expect(JSON.parse(script.stdout)).toMatchObject({ jobId: null, elements: 6, runs: 6 });
  });
});
