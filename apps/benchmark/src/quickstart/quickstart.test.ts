import { existsSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderQuickstart } from '../commands/quickstart.js';
import { quickstart } from './quickstart.js';
import { handMadeResults } from './results.fixture.js';

describe('quickstart', () => {
  it('learns: greedy < DGL ≤ end to end, which passes 80 %, in less memory; MLAAN better than DGL', {
    timeout: 240_000,
  }, async () => {
    const output = join(await mkdtemp(join(tmpdir(), 'localgrad-quickstart-')), 'report');
    const lines: string[] = [];
    const terminal = { stdout: { write: () => {} }, stderr: { write: (text: string) => lines.push(text) } };
    const result = await quickstart({ seeds: 1, epochs: 4, backend: 'wasm', threads: 1, output }, terminal);
    const [backprop, greedy, dgl, mlaan] = result.runs;
    expect(result.runs.map(({ method, modules, backend }) => [method, modules, backend])).toEqual([
      ['backprop', 1, 'wasm'],
      ['greedy', 7, 'wasm'],
      ['dgl', 7, 'wasm'],
      ['mlaan(greedy)', 7, 'wasm'],
    ]);
    expect(backprop?.testAccuracy).toBeGreaterThanOrEqual(0.8);
    expect(dgl?.testAccuracy).toBeLessThanOrEqual(backprop?.testAccuracy ?? 0);
    expect(greedy?.testAccuracy).toBeLessThan(dgl?.testAccuracy ?? 0);
    expect(mlaan?.testAccuracy).toBeGreaterThan(dgl?.testAccuracy ?? 1);
    expect(dgl?.relativeToBackprop.memory).toBeLessThan(0.6);
    for (const run of result.runs) {
      expect(Math.abs(run.peakBytes / run.predictedPeakBytes - 1)).toBeLessThan(0.1);
      expect(
        existsSync(join(output, 'runs', `${run.method.replace('(', '-').replace(')', '')}-seed1`, 'metrics.jsonl')),
      ).toBe(true);
    }
    expect(result.report).toBe(join(output, 'index.html'));
    expect(await readFile(result.report, 'utf8')).toContain('localgrad quickstart');
    const { report: _, ...stored } = result;
    expect(JSON.parse(await readFile(join(output, 'results.json'), 'utf8'))).toEqual(stored);
    expect(lines.filter((line) => line.includes('done: test accuracy'))).toHaveLength(4);
  });

  it('prints the comparison as a table', () => {
    const text = renderQuickstart({ ...handMadeResults(), report: 'somewhere/index.html' });
    expect(text).toMatch(/End to end +1 +81\.0 % +3\.8 MiB +1\.00 × +5\.0 s +1\.00 ×/);
    expect(text).toMatch(/DGL +7 +76\.0 % +−5\.0 points +1\.1 MiB +0\.30 × +7\.5 s +1\.50 ×/);
    expect(text).toContain('mean of 2 seeds');
    expect(text).toContain('Report: somewhere/index.html');
  });
});
