import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCaptured } from './command-line.fixture.js';

const tiny =
  '--backbone resnet8 --width 2 --modules 2 --resize 8 --train-images 40 --test-images 20 --batch 20 --epochs 1 --backend cpu'.split(
    ' ',
  );

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'localgrad-messages-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const train = (...flags: string[]) => runCaptured('train', ...tiny, ...flags, '--output', join(folder, 'run'));

describe('messages name the flag that is wrong, and what is allowed', () => {
  it.each<[string, RegExp]>([
    ['--batch 41', /--batch: 41; allowed: integers from 1 to 40, the number of training images\.\n$/],
    ['--pad 4', /--pad: 4; allowed: integers from 8 to \d+, since images cannot become smaller\.\n$/],
    ['--train-images 6000', /--train-images: 6000; allowed: 1 to 5000, the number of images in the data set\.\n$/],
    [
      '--resize 4 --augment cifar10',
      /--augment: 'cifar10' shifts images by up to 4 pixels, but they have only 4; use larger images\.\n$/,
    ],
    ['--resize 100000', /--resize: 100000; allowed: integers from 1 to \d+, or two of them \(height, width\)\.\n$/],
    ['--resize 5x', /--resize: expected a number, or a pair of numbers; found "5x"/],
    ['--resize 99999x2', /--resize: 99999x2; allowed: integers from 1 to \d+, or two of them/],
    ['--width 100000', /--width: expected a number ≤ 4096; found 100000\n$/],
    ['--backbone resnet9998', /--backbone: 'resnet9998'; allowed: 6n \+ 2 up to 2000/],
    [
      '--dataset cifar10',
      /--data-folder: not given; allowed: a folder with cifar-10-binary\.tar\.gz, cifar-10-python\.tar\.gz or its unpacked files\.\n$/,
    ],
    ['--modules 9', /--modules: 9; allowed: 1 to 3, or 4 with the stem as a module of its own\.\n$/],
    ['--partition 1,1', /--partition: 1,1; allowed: integers ≥ 1 that sum to the 4 blocks, the stem included\.\n$/],
    ['--partition 1,1,2', /--modules: 2, but --partition 1,1,2 has 3 modules; remove one of the two\.\n$/],
    [
      '--partition 1,3 --stem-module own',
      /--stem-module: has no effect with --partition 1,3, which places the stem; remove it\.\n$/,
    ],
    [
      '--gradient-delay-cuts 1',
      /--gradient-delay-cuts: has no effect without --gradient-delay; remove it, or set --gradient-delay\.\n$/,
    ],
    [
      '--memory-budget 1GiB',
      /--modules: has no effect with --memory-budget, which chooses it; remove one of the two\.\n$/,
    ],
    [
      '--gradient-delay 1 --accumulate 2',
      /--gradient-delay: 1 has no effect, because no gradient of 'dgl' crosses from module to module; remove it\.\n$/,
    ],
    [
      '--augment cifar10 --pipeline cifar10',
      /--augment: has no effect with --pipeline 'cifar10', which augments images itself; omit it\.\n$/,
    ],
    [
      '--delay 2',
      /--delay: 2 has no effect, because no moving average of 'dgl' follows the weights of another module; remove it\.\n$/,
    ],
    [
      '--gradient-delay 2',
      /--gradient-delay: 2 has no effect, because no gradient of 'dgl' crosses from module to module; remove it\.\n$/,
    ],
    [
      '--gradient-delay 1 --gradient-delay-cuts 1',
      /--gradient-delay-cuts: no gradient of 'dgl' crosses the cut before module 1/,
    ],
    [
      '--gradient-delay 1 --method sequential(mlaan(dgl))',
      /--gradient-delay: gradients of 'sequential.*' cannot be delayed, because its plan has phases\.\n$/,
    ],
    ['--mlflow-experiment x', /--mlflow-experiment: has no effect without --mlflow <url>\.\n$/],
    ['--no-nesterov --optimizer adam', /--no-nesterov: belongs to optimizer 'sgd' and has no effect on 'adam'/],
    ['--data-folder= --dataset cifar10', /--data-folder is empty: perhaps an unset variable\. Give a value\.\n$/],
    ['--data-folder x', /--data-folder: 'x'; allowed: no folder for 'fashion-mnist-subset'/],
    ['--mlflow localhost:5000', /'--mlflow <url>'.*Allowed: an http or https address, e\.g\. http:\/\/localhost:5000/],
  ])('%s', async (flags, message) => {
    const { exitCode, stderr } = await train(...flags.split(' '));
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(2);
    expect(stderr).not.toMatch(/\n\s+at |unexpected error/);
    expect(await readdir(folder)).toEqual([]);
  });

  it('escape control characters, and shorten long values', async () => {
    const colored = await train('--method', '\u001b[31mdgl');
    expect(colored.stderr).toContain("'\\x1b[31mdgl'");
    expect(colored.stderr).not.toContain('\u001b');
    const escaped = join(folder, 'a\u001b[31mb');
    const { stdout } = await runCaptured('train', ...tiny, '--output', escaped);
    expect(stdout).toContain('a\\x1b[31mb');
    expect(stdout).not.toContain('\u001b');
    await rm(escaped, { recursive: true });
    const flag = await train('--\u001b[2J');
    expect(flag.stderr).toContain("unknown option '--\\x1b[2J'");
    for (const flags of [
      ['--method', 'x'.repeat(100_000)],
      ['--epochs', 'x'.repeat(100_000)],
      [`--${'x'.repeat(100_000)}`],
    ]) {
      expect((await train(...flags)).stderr.length).toBeLessThan(2500);
    }
  });
});

describe('explain names flags without effect', () => {
  it.each<[string[], RegExp]>([
    [['--bandwidth', '1Gbit'], /--bandwidth: has no effect on one worker; set --workers or --placement\.\n$/],
    [
      ['--bandwidth', '1Gbit', '--workers', '2', '--asynchronous', 'buffer: 2'],
      /--bandwidth: has no effect on asynchronous workers, which do not wait; remove it\.\n$/,
    ],
    [['--delay', '1'], /--delay: 1 has no effect/],
  ])('%s', async (flags, message) => {
    const { exitCode, stderr } = await runCaptured('explain', '--backbone', 'resnet8', '--modules', '2', ...flags);
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(2);
  });

  it('forecasts training on several workers', async () => {
    const flags = ['--backbone', 'resnet8', '--modules', '2', '--workers', '2', '--bandwidth', '1Gbit', '--json'];
    expect(JSON.parse((await runCaptured('explain', ...flags)).stdout).pipeline).toHaveProperty('forecast');
  });
});

describe('sizes that no machine can hold are rejected before any work', () => {
  it.each<[string, RegExp]>([
    ['explain --classes 2147483648', /--classes: '2147483648'; allowed: integers from 2 to 1000000/],
    ['explain --image 1e9x1e9x3', /--image: '1e9x1e9x3'; allowed: height x width x channels, each from 1 to 16384/],
    ['train --threads 1000 --backend wasm', /--threads: 1000; allowed: 'auto' or an integer from 1 to 64/],
    ['sweep plan x.yaml --threads 9999', /'--threads <number>'.*It must be at most 1024, not '9999'\./],
    ['sweep run x.yaml --threads 9999', /'--threads <number>'.*It must be at most 1024, not '9999'\./],
    ['sweep run x.yaml --executor slurm --cpus 9999', /'--cpus <number>'.*It must be at most 1024, not '9999'\./],
    ['worker x --threads 9999', /'--threads <number>'.*It must be at most 1024, not '9999'\./],
    ['verify x --threads 9999', /'--threads <number>'.*It must be at most 1024, not '9999'\./],
    ['train --seed 9007199254740992', /--seed: expected an integer ≤ 9007199254740991/],
    ['train --partition ONES', /--partition: .{1,1500}\n$/],
  ])('%s', async (command, message) => {
    const ones = `${'1,'.repeat(20_000)}1`;
    const [name = '', ...flags] = command.replace('ONES', ones).split(' ');
    const output = name === 'train' ? ['--output', join(folder, 'run')] : [];
    const { exitCode, stderr } = await runCaptured(name, ...flags, ...output);
    expect(stderr).toMatch(message);
    expect(stderr.length).toBeLessThan(1000);
    expect(exitCode).toBe(2);
  });

  it('trains with the largest seed', async () => {
    const { exitCode, stderr } = await train('--seed', '9007199254740991', '--probe');
    expect(stderr).not.toContain('localgrad:');
    expect(exitCode).toBe(0);
  });
});

describe('damaged input files', () => {
  it.each<[string, string, RegExp]>([
    ['an alias without an anchor', 'epochs: *n\n', /run\.yaml:1:9: alias '\*n' names no anchor/],
    ['a circle', 'a: &a [*a]\n', /run\.yaml:1:8: alias '\*a' stands for what contains it/],
    ['deep nesting', `a: ${'['.repeat(100_000)}`, /run\.yaml:1:\d+: more than 64 levels of nesting/],
  ])('%s are reported with their position and exit code 1', async (_, text, message) => {
    const file = join(folder, 'run.yaml');
    await writeFile(file, text);
    const { exitCode, stderr, stdout } = await runCaptured('train', file, '--json');
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('unexpected error');
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'invalid-data' } });
    await rm(file);
  });
});
