import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRandom } from '@localgrad/nn/random';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCaptured } from '../command-line.fixture.js';

const [height, width] = [24, 32];
let folder: string;
const at = (...names: string[]) => join(folder, ...names);

/** A noisy image of a bright rectangle on a dark ground, and its map: 0 ground, 1 rectangle, 255 along the upper border. */
async function writePair(part: string, index: number): Promise<void> {
  const random = createRandom(7, `${part}/${index}`);
  const [top, left] = [random.integer(height / 2), random.integer(width / 2)];
  const isInside = (row: number, column: number) =>
    row >= top && row < top + height / 2 && column >= left && column < left + width / 2;
  const pixels = Buffer.alloc(height * width * 3);
  const map = Buffer.alloc(height * width);
  for (let pixel = 0; pixel < height * width; pixel++) {
    const inside = isInside(Math.floor(pixel / width), pixel % width);
    const level = inside ? 150 : 60;
    pixels.fill(level + random.integer(60), 3 * pixel, 3 * pixel + 3);
    map[pixel] = pixel < width ? 255 : Number(inside);
  }
  const raw = { height, width };
  await sharp(pixels, { raw: { ...raw, channels: 3 } })
    .png()
    .toFile(at('shapes', 'images', part, `${index}.png`));
  const gray = sharp(map, { raw: { ...raw, channels: 1 } }).toColourspace('b-w');
  await gray.png().toFile(at('shapes', 'masks', part, `${index}.png`));
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-label-maps-'));
  for (const [part, count] of [
    ['train', 24],
    ['test', 8],
  ] as const) {
    for (const kind of ['images', 'masks']) mkdirSync(at('shapes', kind, part), { recursive: true });
    for (let index = 0; index < count; index++) await writePair(part, index);
  }
  writeFileSync(at('shapes', 'classes.txt'), 'ground\nrectangle\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

const train = (output: string, ...more: string[]) =>
  runCaptured(
    ...['train', '--dataset', at('shapes'), '--output', at(output), '--backend', 'wasm', '--threads', '1'],
    ...[
      '--backbone',
      'fcn-resnet18(width: 4, layers: [1, 1, 1, 1])',
      '--batch',
      '4',
      '--learning-rate',
      '0.05',
      ...more,
    ],
  );

function epochsOf(output: string): readonly Readonly<Record<string, Readonly<Record<string, number>>>>[] {
  return JSON.parse(readFileSync(at(output, 'summary.json'), 'utf8')).epochs;
}

describe('a folder of images and label maps', { timeout: 240_000 }, () => {
  it('trains from the command line, end to end and locally, and improves the mean intersection over union', async () => {
    for (const [output, ...more] of [
      ['end-to-end', '--method', 'backprop', '--modules', '1'],
      ['local', '--method', 'dgl(head: infopro-segmentation)', '--modules', '2', '--augment', 'svhn'],
    ] as const) {
      const { exitCode, stdout, stderr } = await train(output, '--epochs', '6', ...more);
      expect(exitCode, stderr).toBe(0);
      expect(stdout).toMatch(/test meanIoU/);
      const epochs = epochsOf(output);
      const [first, last] = [epochs[0]?.testMetrics?.meanIoU ?? 1, epochs.at(-1)?.testMetrics?.meanIoU ?? 0];
      expect(last, output).toBeGreaterThan(first);
      expect(last, output).toBeGreaterThan(0.6);
    }
  });

  it('chooses epochs by the mean intersection over union, or by the metric that the user names', async () => {
    const flags = ['--modules', '1', '--method', 'backprop', '--epochs', '2', '--validation', '0.25', '--keep-best'];
    const own = await train('own-metric', ...flags);
    expect(own.exitCode, own.stderr).toBe(0);
    expect(own.stderr).toMatch(/validation meanIoU [\d.]+ % {2}test meanIoU [\d.]+ % {2}test loss/);
    expect(own.stdout).toMatch(/^test meanIoU +[\d.]+ % \(best [\d.]+ %\)\ntest accuracy/);
    expect(own.stdout).toMatch(/validation +[\d.]+ % \(best [\d.]+ % after epoch [12], with test meanIoU/);
    const summary = JSON.parse(readFileSync(at('own-metric', 'summary.json'), 'utf8'));
    const overlaps = epochsOf('own-metric').map(({ validationMetrics }) => validationMetrics?.meanIoU ?? 0);
    expect(summary.metric).toEqual({ name: 'meanIoU', lowerIsBetter: false });
    expect(summary.validation.best.epoch).toBe(overlaps.indexOf(Math.max(...overlaps)) + 1);

    const named = await train('named-metric', ...flags, '--metric', 'loss');
    expect(named.exitCode, named.stderr).toBe(0);
    expect(named.stdout).toMatch(/^test loss +[\d.]+ \(best [\d.]+\)\n/);
    // The same training.
    expect(epochsOf('named-metric').map(({ testMetrics }) => testMetrics)).toEqual(
      epochsOf('own-metric').map(({ testMetrics }) => testMetrics),
    );

    const unknown = await train('unknown-metric', ...flags, '--metric', 'mIoU');
    expect(unknown.exitCode).not.toBe(0);
    expect(unknown.stderr).toMatch(/--metric: 'mIoU'; allowed: loss, accuracy, meanAccuracy, meanIoU\./);
    expect(existsSync(at('unknown-metric'))).toBe(false);
  });

  it('is the same decoded during training, and validates on held-out images', async () => {
    const flags = ['--resize', '24', '--method', 'infopro(head: infopro-segmentation, decoder: segmentation)'];
    const more = ['--modules', '2', '--epochs', '1', '--validation', '0.25', '--augment', 'stl10'];
    const results = [];
    for (const decode of ['before', 'during']) {
      const { exitCode, stderr } = await train(decode, ...flags, ...more, '--decode', decode);
      expect(exitCode, stderr).toBe(0);
      results.push(epochsOf(decode).map(({ testMetrics, validationMetrics }) => ({ testMetrics, validationMetrics })));
    }
    expect(results[1]).toEqual(results[0]);
  });

  it('trains with the pipeline of Cityscapes, the same for any number of workers', async () => {
    const method = 'infopro(head: infopro-segmentation, decoder: segmentation)';
    const flags = ['--pipeline', 'cityscapes', '--resize', `${height}x${width}`, '--method', method, '--modules', '2'];
    const results = [];
    for (const [output, ...more] of [
      ['one', '--decode-workers', '1'],
      ['four', '--decode-workers', '4'],
    ] as const) {
      const { exitCode, stderr } = await train(output, ...flags, '--epochs', '2', ...more);
      expect(exitCode, stderr).toBe(0);
      results.push(epochsOf(output).map(({ testMetrics }) => testMetrics));
    }
    expect(results[0]).toHaveLength(2);
    expect(results[1]).toEqual(results[0]);
    expect(readFileSync(at('one', 'config.yaml'), 'utf8')).toMatch(/resize:\s+- 24\s+- 32/);
  });

  it('needs auxiliary networks for label maps', async () => {
    const { exitCode, stderr } = await train('classifiers', '--method', 'dgl', '--modules', '2', '--epochs', '1');
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/labels.*masks/s);
  });
});
