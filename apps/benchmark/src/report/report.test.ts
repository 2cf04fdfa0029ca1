import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { handMadeResults } from '../quickstart/results.fixture.js';
import { renderReport, writeReport } from './write.js';

describe('report', () => {
  let html = '';
  let png: Uint8Array = new Uint8Array();
  beforeAll(async () => {
    ({ html, png } = await renderReport(handMadeResults()));
  });

  it('is one file without script that loads nothing', () => {
    expect(html).toMatch(/^<!doctype html>/);
    expect(html).not.toMatch(/<script/i);
    expect(html).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(html).not.toMatch(/@import|url\((?!#)/);
  });

  it('shows means, ratios and the commands that repeat the runs', () => {
    expect(html).toContain('81.0\u00a0%');
    expect(html).toContain('76.0\u00a0%');
    expect(html).toContain('0.30\u00a0×');
    expect(html).toContain('1.50\u00a0×');
    expect(html).toContain('−5.0\u00a0points');
    expect(html).toContain('localgrad train --method dgl --modules 7');
    expect(html).toContain('localgrad quickstart --epochs 3 --seeds 2');
  });

  it('escapes text from the results', () => {
    expect(html).not.toContain('<b>');
    expect(html).toContain('Greedy &lt;b');
  });

  it('describes every figure in words and gives it ids of its own', () => {
    const descriptions = [...html.matchAll(/role="img" aria-label="([^"]+)"/g)].map(([, text]) => text);
    expect(descriptions).toHaveLength(4);
    expect(descriptions[2]).toContain('DGL 1.1 MiB');
    expect((html.match(/<svg/g) ?? []).length).toBe(4);
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('takes its colours from the theme, in figures too', () => {
    expect(html).toContain('prefers-color-scheme: dark');
    expect(html.slice(html.indexOf('<svg'))).not.toMatch(/fill="#1b2430"/);
    expect(html).toMatch(/fill="var\(--ink\)"/);
  });

  it('makes a picture with text in it, of a size for a README', () => {
    expect([...png.subarray(1, 4)].map((code) => String.fromCharCode(code)).join('')).toBe('PNG');
    const view = new DataView(png.buffer, png.byteOffset);
    expect(view.getUint32(16)).toBeGreaterThan(1500);
    expect(view.getUint32(20)).toBeGreaterThan(600);
    expect(png.length).toBeGreaterThan(40_000);
  });

  it('gives the same bytes for the same results', async () => {
    const again = await renderReport(handMadeResults());
    expect(again.html).toBe(html);
    expect(Buffer.compare(again.png, png)).toBe(0);
  });

  it('writes page, picture and results', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'localgrad-report-'));
    expect(await writeReport(handMadeResults(), folder)).toBe(join(folder, 'index.html'));
    expect(await readFile(join(folder, 'index.html'), 'utf8')).toBe(html);
    expect(JSON.parse(await readFile(join(folder, 'results.json'), 'utf8'))).toEqual(handMadeResults());
    expect((await readFile(join(folder, 'report.png'))).length).toBe(png.length);
  });
});
