import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCaptured as run } from '../command-line.fixture.js';

const side = 8;

/** Writes Fashion-MNIST's four IDX files with a few images of 8 × 8. */
async function writeImages(folder: string, count: number, change = 0): Promise<void> {
  const idx = (dimensions: readonly number[], values: Uint8Array) => {
    const header = Buffer.alloc(4 + 4 * dimensions.length);
    header.set([0, 0, 8, dimensions.length]);
    for (const [index, extent] of dimensions.entries()) header.writeUInt32BE(extent, 4 + 4 * index);
    return Buffer.concat([header, values]);
  };
  for (const [prefix, size] of [
    ['train', count],
    ['t10k', 20],
  ] as const) {
    const pixels = Uint8Array.from({ length: size * side * side }, (_, index) => (index * 37 + change) % 251);
    const labels = Uint8Array.from({ length: size }, (_, index) => index % 10);
    await writeFile(join(folder, `${prefix}-images-idx3-ubyte`), idx([size, side, side], pixels));
    await writeFile(join(folder, `${prefix}-labels-idx1-ubyte`), idx([size], labels));
  }
}

const tiny = ['--backbone', 'tiny', '--modules', '2', '--batch', '10', '--epochs', '1', '--backend', 'cpu'];

describe('train with other images under the same name', () => {
  it('names what differs, and replaces the run with --resume never', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'localgrad-images-'));
    const train = (...more: string[]) =>
      run(
        'train',
        ...tiny,
        '--dataset',
        'fashion-mnist',
        '--data-folder',
        folder,
        '--output',
        join(folder, 'run'),
        ...more,
      );
    await writeImages(folder, 30);
    expect((await train()).exitCode).toBe(0);
    await writeImages(folder, 30, 1);
    const other = await train();
    expect(other.exitCode).toBe(2);
    expect(other.stderr).toMatch(
      /run' contains a different run: training images differ: 30 images with other pixels; test images differ.*\. Choose another --output, or pass --resume never to replace the run\.\n$/,
    );
    await writeImages(folder, 20);
    expect((await train()).stderr).toContain('training images: 30 there, 20 here');
    expect((await train('--resume', 'never')).exitCode).toBe(0);
    const identity = JSON.parse(await readFile(join(folder, 'run/identity.json'), 'utf8'));
    expect(identity).toMatchObject({ training: { images: 20, shape: [8, 8, 1], classes: 10 }, modules: [] });
  });

  it('stops a sweep whose finished runs had others', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'localgrad-images-'));
    const file = join(folder, 'e.yaml');
    const base = `{ method: greedy, backbone: tiny, modules: 2, batch: 10, epochs: 1, backend: cpu, dataset: fashion-mnist, dataFolder: ${folder} }`;
    await writeFile(file, `name: e\nbase: ${base}\nseeds: 2\n`);
    const sweep = () => run('sweep', 'run', file, '--folder', join(folder, 'sweep'), '--executor', 'debug');
    await writeImages(folder, 30);
    expect((await sweep()).exitCode).toBe(0);
    expect((await sweep()).exitCode).toBe(0);
    await writeImages(folder, 30, 1);
    const { exitCode, stderr } = await sweep();
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(
      /Finished runs had other inputs\. Remove .* --folder:\n'e, seed 1' \(.*\): training images differ.*\n'e, seed 2' \(/,
    );
  });
});
