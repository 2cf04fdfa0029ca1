import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BenchMemoryReport, compare, createProgress, csvOf, largestFitting, parseCsv } from '@localgrad/bench';
import { at } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCaptured } from '../../command-line.fixture.js';
import { byteCount, wholeNumbers } from './arguments.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'localgrad-bench-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function bench(...args: string[]) {
  const { exitCode: code, ...written } = await runCaptured('bench', ...args);
  return { code, ...written };
}

const tiny = ['--width', '2', '--image', '8x8x3', '--backend', 'cpu'];

describe('bench memory', () => {
  it('finds the largest batch that fits, which a real step confirms; writes table, rows and figure', async () => {
    const [output, figure] = [join(folder, 'memory.csv'), join(folder, 'memory')];
    const network = [
      '--backbone',
      'resnet20',
      '--modules',
      '4',
      '--methods',
      'dgl(head:0c1f)',
      '--image',
      '16x16x3',
      '--width',
      '8',
    ];
    const flags = [
      '--budget',
      '6MB',
      '--measure-up-to',
      '32',
      '--output',
      output,
      '--figure',
      figure,
      '--backend',
      'wasm',
    ];
    const { code, stdout, stderr } = await bench('memory', ...network, ...flags, '--json');
    expect([code, stderr]).toEqual([0, expect.stringContaining('(3/3)')]);
    const { rows } = JSON.parse(stdout) as BenchMemoryReport;
    expect(rows.map(({ method }) => method)).toEqual(['backprop', 'backprop+recompute', 'dgl(head:0c1f)']);
    for (const { largestBatch, curve, measured } of rows) {
      expect(largestBatch).toBeGreaterThan(0);
      for (const { batch, peakBytes } of curve) if (batch <= largestBatch) expect(peakBytes).toBeLessThan(6e6);
      const { peakBytes = 0, predictedBytes = 1 } = measured ?? {};
      expect(Math.abs(peakBytes / predictedBytes - 1)).toBeLessThan(0.15);
    }
    const [endToEnd, recomputed, local] = rows;
    expect(recomputed?.largestBatch).toBeGreaterThan(endToEnd?.largestBatch ?? 0);
    expect(local?.largestBatch).toBeGreaterThan(endToEnd?.largestBatch ?? 0);
    const records = parseCsv(await readFile(output, 'utf8'));
    expect(records.map((record) => record.largest_batch)).toEqual(rows.map((row) => String(row.largestBatch)));
    expect(await readFile(`${figure}.svg`, 'utf8')).toContain('What fits into');
    expect((await readFile(`${figure}.png`)).subarray(1, 4).toString()).toBe('PNG');
  });

  it('measures no step with one image that the network cannot be trained on', async () => {
    const small = [
      '--backbone',
      'resnet14',
      '--width',
      '4',
      '--modules',
      '3',
      '--image',
      '32x32x1',
      '--methods',
      'dgl',
    ];
    const { code, stdout, stderr } = await bench('memory', ...small, '--budget', '300KiB', '--backend', 'wasm');
    expect(code).toBe(0);
    expect(stderr).toMatch(/^dgl: not measured with one image: Batch norm .* cannot be trained/m);
    expect(stdout).toMatch(/^dgl .* 1 .*not measured/m);
  });

  it('counts the state of the requested optimizer, and micro-batches instead of the batch', async () => {
    const flags = [...tiny, '--budget', '1MB', '--measure-up-to', '4', '--methods', 'backprop', '--json'];
    const rowOf = async (...more: string[]) => {
      const { stdout } = await bench('memory', ...flags, ...more);
      const { rows }: BenchMemoryReport = JSON.parse(stdout);
      return at(rows, 0, 'row');
    };
    const [plain, adam, parts] = [await rowOf(), await rowOf('--optimizer', 'adam'), await rowOf('--accumulate', '4')];
    const clipped = await rowOf('--clip-norm', '1');
    expect(adam.residentBytes).toBeGreaterThan(plain.residentBytes);
    expect(parts.largestBatch).toBeGreaterThan(plain.largestBatch);
    expect(parts.measured?.batch).toBe(4);
    // All gradients are in memory at the end of the step, but no temporary tensors of updates before.
    expect(clipped.measured).not.toEqual(plain.measured);
  }, 60_000);

  it('has no ratio to end-to-end training that does not fit', async () => {
    const output = join(folder, 'nothing-fits.csv');
    const flags = [
      ...tiny,
      '--budget',
      '1KiB',
      '--methods',
      'dgl',
      '--output',
      output,
      '--figure',
      join(folder, 'none'),
    ];
    const { stdout } = await bench('memory', ...flags);
    expect(stdout).not.toMatch(/NaN|Infinity/);
    expect(stdout).toMatch(/dgl +\d+ +0 +– /);
    const [record] = parseCsv(await readFile(output, 'utf8'));
    expect(record?.largest_batch_relative_to_backprop).toBe('');
    expect(await readFile(join(folder, 'none.svg'), 'utf8')).toContain('>0 · –<');
  }, 60_000);

  it('finds the largest fitting batch for any budget', () => {
    for (const budget of [0, 9, 10, 11, 55, 1000]) {
      expect(largestFitting((batch) => 3 + 7 * batch, budget)).toBe(Math.max(0, Math.floor((budget - 3) / 7)));
    }
  });

  it('parses budgets', () => {
    expect([byteCount('512MiB'), byteCount('1.5 kB'), byteCount('4g'), byteCount('1e6')]).toEqual([
      512 * 2 ** 20,
      1500,
      4e9,
      1e6,
    ]);
    for (const wrong of ['', 'much', '-1', '5 MB or so']) expect(() => byteCount(wrong)).toThrow(/512MiB/);
  });
});

describe('bench scaling', () => {
  it('measures each depth with each number of modules, omits impossible cuts, and compares with an earlier file', async () => {
    const output = join(folder, 'scaling.csv');
    const flags = [
      '--depths',
      '8,14',
      '--module-counts',
      '2,5',
      '--batch',
      '2',
      '--repeats',
      '1',
      '--warmup-steps',
      '1',
    ];
    const first = await bench('scaling', ...tiny, ...flags, '--methods', 'greedy', '--output', output);
    expect(first.code).toBe(0);
    expect(first.stderr).toMatch(/left out at depth 8: greedy, K = 5/);
    const rows = parseCsv(await readFile(output, 'utf8')).map(({ method, backbone, modules }) => [
      method,
      backbone,
      modules,
    ]);
    expect(rows.filter(([method]) => method === 'greedy')).toEqual([
      ['greedy', 'resnet8', '2'],
      ['greedy', 'resnet14', '2'],
      ['greedy', 'resnet14', '5'],
    ]);
    const second = await bench('scaling', ...tiny, ...flags, '--methods', 'greedy', '--compare', output);
    expect(second.stdout).toMatch(/greedy, resnet14, K = 5, cpu: step_ms_median [\d.]+ ×, peak_bytes 1\.000 ×/);
    await writeFile(output, 'a,b\n1,2\n');
    const wrong = await bench('scaling', ...tiny, '--compare', output);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringMatching(/no rows with any of/)]);
    expect(wholeNumbers('4, 16 32')).toEqual([4, 16, 32]);
  });
});

describe('bench kernels', () => {
  it('compares the time of each kernel with stock operations, without leaking tensors', async () => {
    const { code, stdout } = await bench(
      'kernels',
      '--backend',
      'wasm',
      '--threads',
      '1',
      '--batch',
      '2',
      '--repeats',
      '1',
      '--json',
    );
    expect(code).toBe(0);
    const { rows, kernels } = JSON.parse(stdout);
    expect(kernels).toBe('wasm-simd');
    expect(rows.map((row: { kernel: string }) => row.kernel)).toContain('conv2dFilterGradient');
    for (const { milliseconds, relativeToStock } of rows) {
      expect(milliseconds.median).toBeGreaterThan(0);
      expect(relativeToStock).toBeGreaterThan(0);
    }
    await tf.setBackend('cpu');
  });
});

describe('files of rows', () => {
  const environment = { cpu: 'a "fast", one', cores: 2, platform: 'p', runtime: 'r', memoryBytes: 1, tfjs: 't' };
  const place = { ...environment, localgrad: 'l', commit: null, date: 'd' };

  it('are read as they were written, with quotes and line breaks', () => {
    const records = [
      { method: 'mlaan(greedy, window: 3)', modules: 4, step_ms_median: '2.5', peak_bytes: null },
      { method: 'line\nbreak', modules: 1, step_ms_median: '1', peak_bytes: 7 },
    ];
    const read = parseCsv(csvOf(place, 'gpu, big', records));
    expect(read).toHaveLength(2);
    expect(read[0]).toMatchObject({
      method: 'mlaan(greedy, window: 3)',
      peak_bytes: '',
      cpu: 'a "fast", one',
      device: 'gpu, big',
    });
    expect(read[1]).toMatchObject({ method: 'line\nbreak', peak_bytes: '7', commit: '' });
  });

  it('are compared row by row, with differences in the environment', () => {
    const now = [
      { method: 'dgl', modules: 4, step_ms_median: '3' },
      { method: 'new', modules: 4, step_ms_median: '3' },
    ];
    const then = [{ method: 'dgl', modules: '4', step_ms_median: '2', cpu: 'old', date: 'x' }];
    expect(compare('f.csv', now, { cpu: 'new' }, then)).toEqual({
      file: 'f.csv',
      rows: [
        { row: { method: 'dgl', modules: '4' }, ratios: { step_ms_median: 1.5 }, otherSettings: [] },
        { row: { method: 'new', modules: '4' }, ratios: {}, otherSettings: [] },
      ],
      differences: ['cpu: old → new'],
      unknown: [],
    });
  });
});

describe('progress', () => {
  it('reports the remaining time', () => {
    const lines: string[] = [];
    let time = 0;
    const terminal = { stdout: { write: () => {} }, stderr: { write: (text: string) => lines.push(text) } };
    const progress = createProgress(terminal, 4, () => time);
    for (const label of ['a', 'b', 'c', 'd']) {
      time += 60_000;
      progress.done(label);
    }
    expect(lines).toEqual([
      'a (1/4, about 3 min left)\n',
      'b (2/4, about 2 min left)\n',
      'c (3/4, about 60 s left)\n',
      'd (4/4)\n',
    ]);
  });
});
