import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runEvents } from '../run.fixture.js';
import { crc32c, maskedCrc32c } from './crc32c.js';
import golden from './fixtures/tensorboard.json' with { type: 'json' };
import { histogramOf } from './histogram.js';
import { tensorboardWriter } from './tensorboard-writer.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-tensorboard-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const png = Buffer.from(golden.png, 'base64');
const text = (value: string) => new TextEncoder().encode(value);
const range = (length: number, of: (index: number) => number) => Uint8Array.from({ length }, (_, index) => of(index));

describe('crc32c', () => {
  it.each([
    ['32 zeros', range(32, () => 0), 0x8a9136aa],
    ['32 times 255', range(32, () => 255), 0x62a8ab43],
    ['ascending bytes', range(32, (index) => index), 0x46dd794e],
    ['descending bytes', range(32, (index) => 31 - index), 0x113fdb5c],
    ['digits', text('123456789'), 0xe3069283],
    ['nothing', text(''), 0],
  ])('has the answer of RFC 3720 for %s', (_, bytes, answer) => expect(crc32c(bytes)).toBe(answer));

  it('is masked like in TensorFlow', () => {
    // From the definition: rotated right by 15 bits, plus a constant.
    expect(maskedCrc32c(text('123456789'))).toBe((((0xe3069283 >>> 15) | (0xe3069283 << 17)) + 0xa282ead8) >>> 0);
    expect(maskedCrc32c(text(''))).toBe(0xa282ead8);
  });
});

describe('tensorboardWriter', () => {
  it('writes the same bytes as TensorBoard’s own encoder', () => {
    const writer = tensorboardWriter({ folder, host: 'host', now: () => golden.wallTime });
    for (const event of runEvents().slice(0, 1)) writer.observe(event);
    // Beyond 32 bits.
    const { step } = golden;
    const losses = { module0: 1.25 };
    const terms = { 'module0/similarity': 0 };
    writer.observe({ type: 'step-end', step, steps: step, epoch: 1, learningRate: 0.1, losses, terms });
    writer.addImage('module-map', png, 0);
    writer.addHistogram('weights/stem', golden.histogram, 300);
    const names = readdirSync(folder);
    expect(names).toEqual(['events.out.tfevents.1700000000.host']);
    expect(readFileSync(join(folder, names[0] as string)).toString('base64')).toBe(golden.file);
  });

  it('names the cause if its file cannot be written', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const [start] = runEvents();
    if (start === undefined) throw new Error('no events');
    expect(() => tensorboardWriter({ folder: join(file, 'tensorboard') }).observe(start)).toThrow(
      /^Cannot write '.*tensorboard': part of the path is a file, not a folder\. Once that is fixed, run/,
    );
    const writer = tensorboardWriter({ folder: join(folder, 'gone') });
    writer.observe(start);
    rmSync(join(folder, 'gone'), { recursive: true });
    expect(() => writer.addImage('a', png, 0)).toThrow(/^Cannot write '.*events\.out\.tfevents.*': it does not exist/);
  });

  it('writes each event to the file before training continues, and omits steps without losses', () => {
    const writer = tensorboardWriter({ folder });
    const sizes = runEvents().map((event) => {
      writer.observe(event);
      return statSync(join(folder, readdirSync(folder)[0] as string)).size;
    });
    const types = runEvents().flatMap((event, index) => (sizes[index] === sizes[index - 1] ? [] : [event.type]));
    expect(types).toEqual([
      'run-start',
      ...[1, 2].flatMap(() => ['step-end', 'step-end', 'evaluation-end', 'epoch-end']),
    ]);
  });

  it('starts another file when a run is resumed, with a later name even if the clock went back', () => {
    for (const seconds of [100, 100, 90])
      tensorboardWriter({ folder, host: 'a', now: () => seconds }).addImage('i', png, 0);
    tensorboardWriter({ folder, host: 'b', now: () => 200 }).addImage('i', png, 0);
    expect(readdirSync(folder).sort()).toEqual([
      'events.out.tfevents.0000000100.a',
      'events.out.tfevents.0000000101.a',
      'events.out.tfevents.0000000102.a',
      'events.out.tfevents.0000000200.b',
    ]);
  });

  it('requests histograms at the end of each epoch', () => {
    let asked = 0;
    const histograms = () => ({ [`weights/${++asked}`]: Float32Array.of(asked) });
    const writer = tensorboardWriter({ folder, histograms });
    for (const event of runEvents()) writer.observe(event);
    const file = readFileSync(join(folder, readdirSync(folder)[0] as string), 'latin1');
    expect([1, 2, 3].map((count) => file.includes(`weights/${count}`))).toEqual([true, true, false]);
  });

  it('reports the problem of an invalid image, histogram or step', () => {
    const writer = tensorboardWriter({ folder });
    expect(() => writer.addImage('map', text('GIF89a'), 0)).toThrow("Image 'map' is not a PNG file (6 bytes)");
    expect(() => writer.addHistogram('w', [1, Number.NaN], 0)).toThrow("Histogram 'w' has NaN at index 1");
    expect(() => writer.addHistogram('w', [], 0)).toThrow("Histogram 'w' has no values");
    expect(() => writer.addHistogram('w', [1], 0.5)).toThrow('an integer from 0');
    expect(() => tensorboardWriter({ folder: '' })).toThrow("option 'folder' is ''");
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('histogramOf', () => {
  it('counts each value in the bucket whose upper bound is above it', () => {
    const { limits, counts, count } = histogramOf([-2, 0, 0, 5, 5, 5], 'values');
    const total = (from: number, to: number) =>
      counts
        .filter((_, index) => (limits[index] as number) > from && (limits[index - 1] ?? -Infinity) <= to)
        .reduce((sum, value) => sum + value, 0);
    expect([total(-2, -2), total(0, 0), total(5, 5), count]).toEqual([1, 2, 3, 6]);
    expect(limits).toEqual([...limits].sort((a, b) => a - b));
  });

  it('accepts the largest double', () => {
    expect(histogramOf([Number.MAX_VALUE], 'values').counts.at(-1)).toBe(1);
  });
});
