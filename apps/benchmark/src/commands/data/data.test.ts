import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dataset } from '@localgrad/image-data';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runCaptured } from '../../command-line.fixture.js';

const root = mkdtempSync(join(tmpdir(), 'localgrad-data-command-'));
const photos = join(root, 'photos');
beforeAll(() => {
  vi.stubEnv('LOCALGRAD_CACHE', join(root, 'cache'));
  const fixtures = fileURLToPath(new URL('../../../../../packages/image-data/src/fixtures/folder', import.meta.url));
  cpSync(fixtures, photos, { recursive: true });
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

async function data(...args: string[]) {
  return runCaptured('data', ...args);
}

describe('localgrad data', () => {
  it('lists the data sets and marks the available ones', async () => {
    const { stdout, exitCode } = await data('list');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^✓ fashion-mnist-subset/m);
    expect(stdout).toMatch(/^ {2}stl10 +STL-10/m);
    const { datasets } = JSON.parse((await data('list', '--json')).stdout);
    expect(datasets).toHaveLength(8);
    expect(datasets[1]).toMatchObject({ name: 'cifar10', fetched: false });
  });

  it('shows source, hashes and pipelines of a data set', async () => {
    const { stdout } = await data('info', 'mnist');
    expect(stdout).toContain('MD5 f68b3c2dcbeaaa9fbdd348bbdeb94873');
    expect(stdout).toContain('predsim-mnist: random crop, zero padding of 2, no flip, mean 0.1307, deviation 0.3081');
    expect(stdout).not.toContain('predsim-fashion-mnist');
    const unknown = await data('info', 'mnits');
    expect(unknown.exitCode).toBe(2);
    expect(unknown.stderr).toMatch(/Did you mean 'mnist'/);
  });

  it('shows the data set that is part of localgrad, and has nothing to download for it', async () => {
    const { stdout, exitCode } = await data('info', 'fashion-mnist-subset');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /license +MIT, © 2017 Zalando SE\n.*cite +Xiao.*\n.*folder +none: the images are part of localgrad/,
    );
    for (const flags of [[], ['--offline']]) {
      const fetched = await data('fetch', 'fashion-mnist-subset', ...flags);
      expect(fetched.stdout).toBe("'fashion-mnist-subset' is part of localgrad: there is nothing to download.\n");
      expect(fetched.exitCode).toBe(0);
    }
    expect(existsSync(join(root, 'cache'))).toBe(false);
  });

  it('fetch --offline names the missing file; --from-dir names the folder', async () => {
    const offline = await data('fetch', 'cifar10', '--offline');
    expect(offline.exitCode).toBe(1);
    expect(offline.stderr).toMatch(/cifar-10-binary\.tar\.gz was not found, and --offline/);
    const asJson = await data('fetch', 'cifar10', '--offline', '--json');
    expect(JSON.parse(asJson.stdout).error.message).toMatch(/cifar-10-binary\.tar\.gz was not found, and --offline/);
    const from = await data('fetch', 'cifar10', '--from-dir', photos);
    expect(from.stderr).toContain(`${join(photos, 'cifar-10-binary.tar.gz')} was not found`);
  });

  it('check lists every image that cannot be used, and writes nothing', async () => {
    const broken = join(root, 'broken');
    cpSync(photos, broken, { recursive: true });
    const [first = '', second = ''] = readdirSync(join(broken, 'cat'));
    for (const name of [first, second]) writeFileSync(join(broken, 'cat', name), 'no image');
    const output = join(root, 'broken.png');
    const { stderr, exitCode } = await data('check', broken, '--output', output);
    expect(exitCode).toBe(1);
    const total = [...readdirSync(join(broken, 'cat')), ...readdirSync(join(broken, 'dog'))].length;
    expect(stderr).toMatch(
      `localgrad: 2 of the ${total} images in '${broken}' cannot be used. Replace or remove them:`,
    );
    for (const name of [first, second]) expect(stderr).toContain(`${join(broken, 'cat', name)}: expected an image`);
    expect(existsSync(output)).toBe(false);
    for (let index = 0; index < 30; index++) writeFileSync(join(broken, 'dog', `${index}.jpg`), 'no image');
    const many = await data('check', broken, '--output', output);
    expect(many.stderr).toContain('… and 12 more; --json lists all of them.');
    expect(many.stderr.split('\n').filter((line) => line.includes(': expected an image'))).toHaveLength(20);
    const { error } = JSON.parse((await data('check', broken, '--output', output, '--json')).stdout);
    expect(error.details).toMatchObject({ images: total + 30, problems: expect.any(Array) });
    expect(error.details.problems).toHaveLength(32);
  });

  it('check counts classes and writes a contact sheet that decodes', async () => {
    const output = join(root, 'sheet.png');
    const { stdout, exitCode } = await data('check', photos, '--size', '24', '--output', output);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/class +training +test/);
    expect(stdout).toMatch(/cat +2 +1\n *dog +4 +1\n *all +6 +2/);
    const { width, height, channels } = await sharp(output).metadata();
    // 24 pixels are enlarged twofold; ten columns, two rows, gaps of 2.
    expect([width, height, channels]).toEqual([2 + 10 * 50, 2 + 2 * 50, 3]);
    const { train } = await dataset({ folder: photos, size: 24 });
    const pixels = await sharp(output).raw().toBuffer();
    expect([...pixels.subarray((2 * 502 + 2) * 3, (2 * 502 + 2) * 3 + 3)]).toEqual([...train.images.subarray(0, 3)]);
    const again = await data('check', photos, '--size', '24', '--output', output);
    expect(again.exitCode).toBe(0);
    expect(await sharp(output).raw().toBuffer()).toEqual(pixels);
    const photo = join(root, 'photo.png');
    copyFileSync(join(photos, 'cat', 'color.png'), photo);
    const foreign = await data('check', photos, '--size', '24', '--output', photo);
    expect(foreign.exitCode).toBe(2);
    expect(foreign.stderr).toMatch(/already exists, and localgrad did not write it\. Choose another --output/);
  });

  it.each([
    [
      ['data', 'convert', photos, '--output', join(photos, 'png')],
      /--output: '.*png' is inside '.*photos', whose images/,
    ],
    [
      ['data', 'check', photos, '--output', join(photos, 'cat', 'sheet.png')],
      /--output: '.*sheet\.png' is inside '.*photos', whose images/,
    ],
    [['train', '--dataset', photos, '--output', join(photos, 'run')], /Choose a --output outside of them\.\n$/],
    [
      ['sweep', 'run', join(root, 'e.yaml'), '--folder', join(photos, 'sweep')],
      /Choose a --folder outside of them\.\n$/,
    ],
  ])('nothing is written into the folder of the images: %j', async (args, message) => {
    writeFileSync(
      join(root, 'e.yaml'),
      `name: e\nbase: { dataset: "${photos}", resize: 12, modules: 2, backbone: tiny }\n`,
    );
    const { exitCode, stderr } = await runCaptured(...args);
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(2);
    expect(readdirSync(photos)).toEqual(['cat', 'dog']);
  });

  it.each(['check', 'convert'])('%s checks its output before it opens the data', async (command) => {
    const missing = join(root, 'missing');
    const into = (output: string) => data(command, missing, '--output', output);
    writeFileSync(join(root, 'taken'), '');
    expect((await into(join(root, 'taken'))).stderr).toMatch(/'.*taken' already exists.*\. Choose another --output/);
    expect((await into(join(root, 'taken', 'below'))).stderr).toMatch(/'.*below' cannot be written: /);
    expect((await into(join(root, 'a'.repeat(300)))).stderr).toMatch(/ cannot be written: the name is too long/);
    expect((await into(join(root, 'free'))).stderr).toContain(missing);
  });

  it('train runs on a folder of images', { timeout: 120_000 }, async () => {
    const flags = [
      '--dataset',
      photos,
      '--resize',
      '12',
      '--backbone',
      'tiny',
      '--method',
      'mlaan(dgl)',
      '--modules',
      '2',
    ];
    const output = join(root, 'run');
    const run = await runCaptured(
      'train',
      ...flags,
      '--epochs',
      '1',
      '--batch',
      '3',
      '--backend',
      'cpu',
      '--output',
      output,
    );
    expect(run.stderr).not.toContain('localgrad:');
    expect(run.exitCode).toBe(0);
    expect(readFileSync(join(output, 'summary.json'), 'utf8')).toContain('"runId"');
  });
});
