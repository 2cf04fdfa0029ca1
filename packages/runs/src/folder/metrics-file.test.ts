import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MetricsFile } from './metrics-file.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-metrics-'));
  file = join(folder, 'metrics.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const lines = (...steps: number[]) => steps.map((step) => `{"step":${step}}\n`).join('');
const event = { type: 'epoch-start', epoch: 1, epochs: 1 } as const;

describe('MetricsFile', () => {
  it('cuts off what came after a checkpoint, and starts anew without one', async () => {
    writeFileSync(file, `${lines(1, 2, 3)}{"st`);
    const metrics = new MetricsFile(file, lines(1, 2).length);
    expect(readFileSync(file, 'utf8')).toBe(lines(1, 2));
    await metrics.sync();
    expect(metrics.bytes).toBe(lines(1, 2).length);
    new MetricsFile(file);
    expect(readFileSync(file, 'utf8')).toBe('');
  });

  it('never continues a torn line', () => {
    for (const [content, kept] of [
      [`${lines(1)}{"ste`, lines(1)],
      [`${lines(1)}${'x'.repeat(200_000)}`, lines(1)],
      [`${lines(1)}\0\0\0\0\0\0\0\0\0\0`, lines(1)],
      ['{"ste', ''],
    ] as const) {
      writeFileSync(file, content);
      const metrics = new MetricsFile(file, 300_000);
      metrics.observer().observe(event);
      const text = readFileSync(file, 'utf8');
      expect(text.startsWith(kept)).toBe(true);
      expect(JSON.parse(text.slice(kept.length))).toMatchObject(event);
    }
  });

  it('says what is missing for a checkpoint to go on from', () => {
    expect(MetricsFile.lossIn(file, 0)).toBeUndefined();
    expect(MetricsFile.lossIn(file, 12)).toMatch(/from byte 12 of '.*metrics\.jsonl', which has 0 in whole lines/);
    writeFileSync(file, lines(1, 2));
    expect(MetricsFile.lossIn(file, lines(1).length)).toBeUndefined();
    expect(MetricsFile.lossIn(file, lines(1, 2).length)).toBeUndefined();
    // Of another length than the lines had that were there: a checkpoint of another file.
    expect(MetricsFile.lossIn(file, lines(1).length + 1)).toMatch(/has 11 in whole lines/);
    writeFileSync(file, `${lines(1)}${'\0'.repeat(11)}`);
    expect(MetricsFile.lossIn(file, lines(1, 2).length)).toMatch(/from byte 22 .* has 11 in/);
  });
});
