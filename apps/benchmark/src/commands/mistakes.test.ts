import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCaptured as run } from '../command-line.fixture.js';

const tiny = [
  '--backbone',
  'resnet8',
  '--width',
  '2',
  '--modules',
  '2',
  '--resize',
  '8',
  '--train-images',
  '40',
  '--test-images',
  '20',
  '--batch',
  '20',
  '--epochs',
  '1',
  '--backend',
  'cpu',
];
const base = {
  backbone: 'resnet8',
  width: 2,
  modules: 2,
  resize: 8,
  trainImages: 40,
  testImages: 20,
  epochs: 1,
  batch: 20,
  method: '{host}',
  threads: 1,
  backend: 'cpu',
};
const newFolder = () => mkdtemp(join(tmpdir(), 'localgrad-mistakes-'));

describe('train names the flag that is wrong, before it writes anything', () => {
  it.each<[readonly string[], string]>([
    [['--batch', '41'], '--batch: 41; allowed: integers from 1 to 40, the number of training images.'],
    [
      ['--classes-per-batch', '11'],
      '--classes-per-batch: 11; allowed: integers from 1 to 10, the smaller of the batch size and the number of classes.',
    ],
    [
      ['--classes-per-batch-epochs', '2'],
      '--classes-per-batch-epochs: has no effect without --classes-per-batch, since batches have any classes; omit it.',
    ],
    [['--cutout', '57'], '--cutout: 57; allowed: integers from 1 to 16, twice the longer side of the images.'],
    [['--pad', '4'], '--pad: 4; allowed: integers from 8 to '],
    [['--train-images', '6000'], '--train-images: 6000; allowed: 1 to 5000'],
    [['--test-images', '1001'], '--test-images: 1001; allowed: 1 to 1000'],
    [
      ['--resize', '4', '--augment', 'cifar10'],
      "--augment: 'cifar10' shifts images by up to 4 pixels, but they have only 4",
    ],
    [['--dataset', 'cifar10'], '--data-folder: not given; allowed: a folder with cifar-10-binary.tar.gz'],
    [['--dataset', 'fashion-mnist', '--data-folder', 'absent'], '--data-folder: '],
    [['--initial-weights', 'absent.safetensors'], "--initial-weights: cannot read 'absent.safetensors'"],
    [
      ['--schedule', 'constant', '--warmup', '0.1'],
      "--warmup: schedule 'constant' has no warm-up; allowed with: cosine.",
    ],
    [['--clip-norm', '0'], '--clip-norm: expected a number > 0; found 0'],
    [
      ['--clip-norm', '1', '--workers', '2', '--backend', 'wasm'],
      '--workers: the optimizer with --clip-norm needs the gradients of all modules in one call, so 2 workers',
    ],
    [
      ['--clip-norm', '1', '--asynchronous', 'buffer: 2', '--method', 'dgl'],
      'at its own time, but the optimizer with --clip-norm needs all gradients of a step at once.',
    ],
    [['--optimizer', 'sgd(momentum: 0.5)', '--momentum', '0.6'], '--momentum: also set in the optimizer'],
    [
      ['--mlflow', 'localhost:5000'],
      "option '--mlflow <url>' argument 'localhost:5000' is invalid. Allowed: an http or https address",
    ],
  ])('%j', async (flags, message) => {
    const output = join(await newFolder(), 'run');
    const { exitCode, stderr } = await run('train', ...tiny, ...flags, '--output', output);
    expect(stderr).toContain(message);
    expect([1, 2]).toContain(exitCode);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(existsSync(output)).toBe(false);
  });

  it('names the place of a key that comes from a file', async () => {
    const folder = await newFolder();
    const file = join(folder, 'run.yaml');
    await writeFile(file, 'method: greedy\nschedule: constant\nwarmup: 0.1\n');
    const { stderr } = await run('train', file, ...tiny, '--output', join(folder, 'run'));
    expect(stderr).toContain(`${file}:3:9: warmup: schedule 'constant' has no warm-up`);
  });

  it.each([
    ['width:', 'run.yaml:1:1: width: expected a number; found no value'],
    ['learningRate: .inf', 'found Infinity'],
  ])('shows the value of %j', async (text, message) => {
    const file = join(await newFolder(), 'run.yaml');
    await writeFile(file, `${text}\n`);
    const { stderr } = await run('train', file);
    expect(stderr).toContain(message.replace('run.yaml:1:1: ', ''));
  });
});

describe('an experiment with a condition that cannot run', () => {
  const write = async (text: string) => {
    const folder = await newFolder();
    const file = join(folder, 'sweep.yaml');
    await writeFile(file, text);
    return { file, folder: join(folder, 'sweep') };
  };

  it.each<[string, string, string]>([
    [
      'a batch larger than the set',
      'grid: {batch: [20, 64]}',
      "sweep.yaml:5:20: condition 'dgl, batch 64' cannot run: batch: 64; allowed: integers from 1 to 40, the number of training images",
    ],
    [
      'a cut that its backbone has not',
      'grid: {modules: [2, 30]}',
      "condition 'dgl, modules 30' cannot run: modules: 30; allowed: 1 to 3, or 4 with the stem as a module of its own",
    ],
    [
      'missing weights',
      'grid: {initialWeights: [absent.safetensors]}',
      "initialWeights: cannot read 'absent.safetensors'",
    ],
    ['an unknown backend', 'grid: {backend: [cpu, none]}', "backend: Unknown backend 'none'. Allowed: auto,"],
    [
      'more threads than the backend has',
      'grid: {threads: [1, 65], backend: [wasm]}',
      "sweep.yaml:5:21: condition 'dgl, threads 65, backend wasm' cannot run: threads: 65; allowed with backend 'wasm': 1 to 64, or auto.",
    ],
    ['images that are too small', 'grid: {augment: [none, cifar10], resize: [4]}', "augment: 'cifar10' shifts images"],
  ])('is found by plan and run before anything runs: %s', async (_, line, message) => {
    const { file, folder } = await write(
      `name: late\nbase: ${JSON.stringify(base)}\nfactors: { host: [backprop, dgl] }\nseeds: 1\n${line}\n`,
    );
    const plan = await run('sweep', 'plan', file, '--no-measure');
    expect(plan.stderr).toContain(message);
    expect(plan.exitCode).toBeGreaterThan(0);
    const swept = await run('sweep', 'run', file, '--folder', folder, '--executor', 'debug');
    expect(swept.stderr).toContain(message);
    expect(swept.stderr).not.toContain('started');
    expect(existsSync(folder)).toBe(false);
  });

  it('is found for --threads beyond the limit of its backend', async () => {
    const text = JSON.stringify({ ...base, threads: 'auto', backend: 'wasm' });
    const { file, folder } = await write(`name: late\nbase: ${text}\nfactors: { host: [dgl] }\nseeds: 1\n`);
    for (const command of [
      ['sweep', 'plan', file, '--no-measure', '--threads', '65'],
      ['sweep', 'run', file, '--folder', folder, '--threads', '65'],
    ]) {
      const { stderr, exitCode } = await run(...command);
      expect(stderr).toMatch(
        /sweep\.yaml:2:\d+: condition 'dgl' cannot run: backend: 'wasm' does not start with 65 threads; allowed: 1 to 64\./,
      );
      expect(exitCode).toBeGreaterThan(0);
    }
    expect(existsSync(folder)).toBe(false);
  });

  it.each([
    ['--processes', '100000'],
    ['--threads', '1025'],
  ])('is not looked for with %s %s', async (flag, value) => {
    const { file } = await write(`name: late\nbase: ${JSON.stringify(base)}\nfactors: { host: [dgl] }\n`);
    const { stderr } = await run('sweep', 'run', file, flag, value);
    expect(stderr).toContain(`It must be at most 1024, not '${value}'.`);
  });

  it('names every condition that cannot run', async () => {
    const { file } = await write(
      `name: late\nbase: ${JSON.stringify(base)}\nfactors: { host: [backprop, dgl] }\nseeds: 1\ngrid: { batch: [20, 64] }\n`,
    );
    const { stderr } = await run('sweep', 'plan', file, '--no-measure');
    expect(stderr.trim().split('\n')).toEqual([
      expect.stringContaining("condition 'backprop, batch 64' cannot run"),
      expect.stringContaining("condition 'dgl, batch 64' cannot run"),
    ]);
  });

  it('is found at its line for a warm-up without an effect', async () => {
    const { file } = await write(
      `name: late\nbase: ${JSON.stringify({ ...base, warmup: 0.1 })}\nfactors: { host: [dgl] }\ngrid:\n  schedule: [cosine, constant]\n`,
    );
    const { stderr } = await run('sweep', 'plan', file, '--no-measure');
    expect(stderr).toMatch(/sweep\.yaml:2:\d+: warmup: schedule 'constant' has no warm-up; allowed with: cosine\./);
  });
});

it('quotes commands that are printed for copying', async () => {
  const folder = await newFolder();
  const file = join(folder, 'my experiment', 'first try.yaml');
  await mkdir(join(folder, 'my experiment'));
  await writeFile(
    file,
    `name: spaces\nbase: ${JSON.stringify({ ...base, learningRate: 1e30 })}\nfactors: { host: [dgl] }\nseeds: 1\nretries: 0\n`,
  );
  const sweep = join(folder, "my sweep's");
  const { stdout } = await run('sweep', 'run', file, '--folder', sweep, '--executor', 'debug');
  const quotedSweep = `'${sweep.replace("'", "'\\''")}'`;
  expect(stdout).toContain(`again     localgrad sweep run '${file}' --folder ${quotedSweep} --retry-failed\n`);
  expect(stdout).toContain(`report    localgrad report ${quotedSweep}\n`);
  expect((await run('sweep', 'prepare', file, '--folder', sweep)).stdout).toContain(`localgrad worker ${quotedSweep}`);
});
