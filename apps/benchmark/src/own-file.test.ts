import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkOwnFile, csvOf, markedPng, markedSvg, writeOwnFile } from '@localgrad/bench';
import { pngOf } from '@localgrad/report';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCaptured } from './command-line.fixture.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'localgrad-own-file-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"></svg>\n';
const environment = { cpu: 'c', cores: 2, platform: 'p', runtime: 'r', memoryBytes: 1, tfjs: 't' };
const place = { ...environment, localgrad: '0.1.0', commit: null, date: 'd' };
const extensions = ['.svg', '.png', '.csv', '.json'];

async function file(name: string, content?: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  if (content !== undefined) await writeFile(path, content);
  return path;
}

describe('files that the user names', () => {
  it('are replaced if their first line is that of the command', async () => {
    const path = await file('other.csv', 'runs,seconds\r\n1,2\r\n');
    await expect(checkOwnFile('--output', path, ['.csv'])).rejects.toThrow(/already exists/);
    await expect(checkOwnFile('--output', path, ['.csv'], 'runs')).rejects.toThrow(/already exists/);
    await writeOwnFile('--output', path, 'new', 'runs,seconds');
    expect(await readFile(path, 'utf8')).toBe('new');
  });

  it('are replaced if a command wrote them', async () => {
    const own = {
      'plan.svg': markedSvg(svg),
      'plan.png': markedPng(await pngOf(svg)),
      'rows.csv': csvOf(place, 'd', [{ method: 'dgl', peak_bytes: 1 }]),
      'rows.json': JSON.stringify({ environment: place, options: {}, rows: [] }),
    };
    for (const [name, content] of Object.entries(own)) {
      const path = await file(name, content);
      await writeOwnFile('--output', path, 'new');
      expect(await readFile(path, 'utf8')).toBe('new');
    }
  });

  it('are not replaced if they have any other content', async () => {
    const png = await pngOf(svg);
    const others = {
      'a.svg': svg,
      'a.png': png,
      'a.csv': 'method,score\ndgl,1\n',
      'a.json': '{"rows":[]}',
      'b.csv': '',
    };
    for (const [name, content] of Object.entries(others)) {
      const path = await file(name, content);
      await expect(writeOwnFile('--output', path, 'new')).rejects.toThrow(
        /already exists, and localgrad did not write/,
      );
      expect(new Uint8Array(await readFile(path))).toEqual(new Uint8Array(Buffer.from(content)));
    }
    await mkdir(join(folder, 'c.csv'));
    await expect(checkOwnFile('--output', join(folder, 'c.csv'), extensions)).rejects.toThrow(/is a folder/);
  });

  it('remain the same pictures when they are marked', async () => {
    const png = await pngOf(svg);
    expect(await pngOf(markedSvg(svg))).toEqual(png);
    const pixelsOf = (content: Uint8Array) => sharp(content, { failOn: 'warning' }).raw().toBuffer();
    expect(await pixelsOf(markedPng(png))).toEqual(await pixelsOf(png));
  });
});

describe('commands reject a file that localgrad did not write, before any work', () => {
  const network = ['--backbone', 'no-such-network'];

  it('explain --svg', async () => {
    const thesis = await file('thesis.md', 'thesis');
    const wrong = await runCaptured('explain', ...network, '--svg', thesis);
    expect([wrong.exitCode, wrong.stderr]).toEqual([2, expect.stringContaining('allowed: names that end with .svg')]);
    const drawing = await file('drawing.svg', svg);
    const other = await runCaptured('explain', ...network, '--svg', drawing);
    expect(other.stderr).toContain(`--svg '${drawing}' already exists, and localgrad did not write it`);
    expect([await readFile(thesis, 'utf8'), await readFile(drawing, 'utf8')]).toEqual(['thesis', svg]);
  });

  it('bench --output and --figure', async () => {
    const study = await file('study.csv', 'name,score\na,1\n');
    const output = await runCaptured('bench', 'step', ...network, '--output', study);
    expect(output.stderr).toContain(`--output '${study}' already exists`);
    await file('figure.png', 'picture');
    const figure = await runCaptured('bench', 'step', ...network, '--figure', join(folder, 'figure'));
    expect(figure.stderr).toContain(`--figure '${join(folder, 'figure.png')}' already exists`);
  });

  it('data check --output', async () => {
    const sheet = await file('sheet.png', 'picture');
    const checked = await runCaptured('data', 'check', 'no-such-data', '--output', sheet);
    expect(checked.stderr).toContain(
      `--output '${sheet}' already exists, and localgrad did not write it. Choose another --output.`,
    );
    expect(await readFile(sheet, 'utf8')).toBe('picture');
    const own = join(folder, 'own.png');
    for (const _ of ['first', 'again']) {
      expect((await runCaptured('data', 'check', 'fashion-mnist-subset', '--output', own)).stderr).toBe('');
    }
  });
});
