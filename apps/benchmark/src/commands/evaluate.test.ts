import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRandom } from '@localgrad/nn/random';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCaptured } from '../command-line.fixture.js';

let folder: string;
const at = (...names: string[]) => join(folder, ...names);

/** Random colors whose class is whether red or blue is stronger, in blocks of 4×4 pixels. */
async function writePair(set: string, part: string, index: number, height: number, width: number): Promise<void> {
  const random = createRandom(5, `${part}/${index}`);
  const isRed = Array.from({ length: (height * width) / 16 }, () => random.integer(2) === 1);
  const pixels = Buffer.alloc(height * width * 3, 60);
  const map = Buffer.alloc(height * width);
  for (let pixel = 0; pixel < height * width; pixel++) {
    const [row, column] = [Math.floor(pixel / width), pixel % width];
    const red = isRed[Math.floor(row / 4) * (width / 4) + Math.floor(column / 4)] === true;
    pixels[3 * pixel + (red ? 0 : 2)] = 200;
    pixels[3 * pixel + 1] = random.integer(256);
    map[pixel] = Number(red);
  }
  const raw = { height, width };
  for (const kind of ['images', 'masks']) mkdirSync(at(set, kind, part), { recursive: true });
  await sharp(pixels, { raw: { ...raw, channels: 3 } })
    .png()
    .toFile(at(set, 'images', part, `${index}.png`));
  const gray = sharp(map, { raw: { ...raw, channels: 1 } }).toColourspace('b-w');
  await gray.png().toFile(at(set, 'masks', part, `${index}.png`));
}

const evaluate = (...args: string[]) => runCaptured('evaluate', ...args);
const train = (output: string, ...args: string[]) =>
  runCaptured('train', '--output', at(output), '--backend', 'wasm', '--threads', '1', '--epochs', '1', ...args);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-evaluate-'));
  for (const [part, count] of [
    ['train', 8],
    ['test', 3],
  ] as const) {
    for (let index = 0; index < count; index++) {
      await writePair('crops', part, index, 16, 24);
      await writePair('whole', part, index, 32, 40);
    }
  }
  for (const set of ['crops', 'whole']) writeFileSync(at(set, 'classes.txt'), 'blue\nred\n');
  const maps = ['--dataset', at('crops'), '--batch', '4', '--modules', '2'];
  const method = ['--method', 'infopro(head: infopro-segmentation, decoder: segmentation)'];
  const network = ['--backbone', 'fcn-resnet18(width: 2, layers: [1, 1, 1, 1])'];
  for (const { exitCode, stderr } of [
    await train('maps', ...maps, ...method, ...network),
    await train('classes', '--backbone', 'tiny', '--modules', '2', '--train-images', '64', '--test-images', '20'),
  ]) {
    if (exitCode !== 0) throw new Error(stderr);
  }
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

const summaryOf = (run: string) => JSON.parse(readFileSync(at(run, 'summary.json'), 'utf8'));

describe('localgrad evaluate', { timeout: 120_000 }, () => {
  it("prints the recorded accuracy of a classifier, and changes no file of the run's folder", async () => {
    const times = () => readdirSync(at('classes')).map((name) => [name, statSync(at('classes', name)).mtimeMs]);
    const before = times();
    const { exitCode, stdout, stderr } = await evaluate(at('classes'));
    expect([exitCode, stderr]).toEqual([0, '']);
    const percent = `${(100 * summaryOf('classes').testAccuracy).toFixed(2)} %`;
    expect(stdout).toMatch(/^network {5}tiny by .*, final weights\nimages {6}20 test images of fashion-mnist-subset\n/);
    expect(stdout).toMatch(new RegExp(`^accuracy +${percent} +${percent}$`, 'm'));
    expect(stdout).toMatch(/^top5 /m);
    expect(times()).toEqual(before);
  });

  it('averages label maps over scales and mirror images, and takes larger images', async () => {
    const plain = await evaluate(at('maps'), '--json');
    expect(plain.stderr).toBe('');
    const { metrics, recorded } = JSON.parse(plain.stdout);
    expect(metrics).toEqual(summaryOf('maps').testMetrics);
    expect(recorded).toEqual(metrics);
    const averaged = await evaluate(at('maps'), '--scales', '0.5,1,1.5', '--flip', '--json');
    const report = JSON.parse(averaged.stdout);
    expect(report).toMatchObject({ scales: [0.5, 1, 1.5], flip: true, samples: 3, recorded });
    expect(Object.keys(report.metrics).sort()).toEqual(['accuracy', 'loss', 'meanAccuracy', 'meanIoU']);
    expect(report.metrics.loss).not.toBe(metrics.loss);
    const whole = await evaluate(at('maps'), '--dataset', at('whole'), '--flip', '--batch', '2');
    expect([whole.exitCode, whole.stderr]).toEqual([0, '']);
    expect(whole.stdout).toContain('average     scales 1, each also mirrored');
    expect(whole.stdout).toMatch(/^meanIoU +\d+\.\d\d %$/m);
  });

  it('explains what is wrong', async () => {
    const cases: readonly [args: string[], exitCode: number, message: RegExp][] = [
      [[at('nowhere')], 1, /^localgrad: '.*nowhere' is not the folder of a run: it has no identity\.json\./],
      [[at('classes'), '--checkpoint', 'last'], 1, /has no last checkpoint: a finished run keeps none by default/],
      [[at('classes'), '--scales', '0.5,1'], 2, /--scales: tiny does not predict label maps; allowed for networks/],
      [[at('classes'), '--flip'], 2, /--flip: tiny does not predict label maps/],
      [[at('maps'), '--scales', '0,1'], 2, /Allowed: numbers > 0, separated by commas, e\.g\. 0\.5,1,1\.5\./],
      [[at('maps'), '--dataset', 'fashion-mnist-subset'], 1, /has 10 classes and images of 1 channels, but the run/],
      [[at('classes'), '--test-images', '5000'], 2, /^localgrad: --test-images: 5000; allowed: 1 to 1000/],
      [[at('classes'), '--backend', 'abacus'], 2, /abacus/],
    ];
    for (const [args, code, message] of cases) {
      const { exitCode, stderr } = await evaluate(...args);
      expect(stderr).toMatch(message);
      expect(exitCode, stderr).toBe(code);
    }
  });
});
