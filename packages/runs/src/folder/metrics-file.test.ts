import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
  it('drops events after the checkpoint, and starts over without one', async () => {
    writeFileSync(file, `${lines(1, 2, 3)}{"st`);
    const metrics = new MetricsFile(file, lines(1, 2).length);
    expect(readFileSync(file, 'utf8')).toBe(lines(1, 2));
    metrics.sync();
    expect(metrics.bytes).toBe(lines(1, 2).length);
    new MetricsFile(file);
    expect(readFileSync(file, 'utf8')).toBe('');
  });

  it('never appends to an incomplete line', () => {
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

  it('reports the missing events of a checkpoint', () => {
    expect(MetricsFile.lossIn(file, 0)).toBeUndefined();
    expect(MetricsFile.lossIn(file, 12)).toMatch(
      /from byte 12 of '.*metrics\.jsonl', which has only 0 in complete lines/,
    );
    writeFileSync(file, lines(1, 2));
    expect(MetricsFile.lossIn(file, lines(1).length)).toBeUndefined();
    expect(MetricsFile.lossIn(file, lines(1, 2).length)).toBeUndefined();
    // A length that does not end at a line: the checkpoint belongs to another file.
    expect(MetricsFile.lossIn(file, lines(1).length + 1)).toMatch(/has only 11 in complete lines/);
    writeFileSync(file, `${lines(1)}${'\0'.repeat(11)}`);
    expect(MetricsFile.lossIn(file, lines(1, 2).length)).toMatch(/from byte 22 .* has only 11 in/);
  });

  it('does not let an attempt that was taken over write to its successor’s file', () => {
    const first = new MetricsFile(file);
    first.observer().observe(event);
    const kept = readFileSync(file, 'utf8');
    const second = new MetricsFile(file, first.bytes);
    first.observer().observe({ ...event, epoch: 7 });
    first.sync();
    second.observer().observe({ ...event, epoch: 2 });
    const text = readFileSync(file, 'utf8');
    expect(text.startsWith(kept)).toBe(true);
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).epoch),
    ).toEqual([1, 2]);
    expect(second.bytes).toBe(text.length);
  });

  it('does not replace the file of its successor: the check comes after all slow operations', () => {
    writeFileSync(file, lines(1));
    const refuse = () => {
      throw new Error('taken over');
    };
    expect(() => new MetricsFile(file, undefined, refuse)).toThrow('taken over');
    expect(readFileSync(file, 'utf8')).toBe(lines(1));
    expect(readdirSync(folder)).toEqual(['metrics.jsonl']);
  });

  it('copies files of any size up to the byte of the checkpoint', () => {
    const many = Array.from({ length: 20_000 }, (_, step) => `{"step":${step}}\n`).join('');
    writeFileSync(file, `${many}${lines(7)}`);
    new MetricsFile(file, many.length).close();
    expect(readFileSync(file, 'utf8')).toBe(many);
  });
});
