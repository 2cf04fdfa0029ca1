import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { markerName, OwnedFolder } from './owned-folder.js';
import { inspectRunFolder } from './run-folder.js';

let parent: string;
let folder: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'localgrad-owned-'));
  folder = join(parent, 'out');
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const open = (path = folder, kind = 'report') => OwnedFolder.open(path, { kind });
const put = (name: string, content = 'mine') => {
  mkdirSync(join(folder, name, '..'), { recursive: true });
  writeFileSync(join(folder, name), content);
};
const contentOf = (name: string) => readFileSync(join(folder, name), 'utf8');

describe('OwnedFolder', () => {
  it('marks a new folder, and reopens it with the recorded names', async () => {
    const first = await open();
    await first.write('report.html', 'one');
    const second = await open();
    await second.write('report.html', 'two');
    expect(contentOf('report.html')).toBe('two');
    expect(JSON.parse(contentOf(markerName))).toEqual({
      format: 'localgrad-folder',
      formatVersion: 1,
      kind: 'report',
      files: ['report.html'],
    });
    expect(readdirSync(folder).sort()).toEqual([markerName, 'report.html']);
  });

  it.each(['.DS_Store', 'Thumbs.db', '._notes', 'lost+found'])(
    'treats a folder that contains only %s as empty',
    async (name) => {
      put(name);
      await open();
      expect(contentOf(name)).toBe('mine');
    },
  );

  it.each([
    ['notes.txt', 'notes.txt'],
    ['.git', '.git'],
    ['checkpoints/best_model.pt', 'checkpoints'],
  ])('rejects a folder that contains %s, and changes nothing', async (name, shown) => {
    put(name);
    await expect(open()).rejects.toMatchObject({
      code: 'invalid-option',
      message: `Folder '${folder}' was not created by localgrad: it contains '${shown}'. Choose a new or empty folder for --output.`,
    });
    expect(contentOf(name)).toBe('mine');
    expect(existsSync(join(folder, markerName))).toBe(false);
  });

  it('lists at most three of the files that it found', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) put(name);
    await expect(open()).rejects.toThrow(/contains 'a', 'b', 'c' and 2 more\./);
  });

  it('neither overwrites nor removes files that it did not record', async () => {
    const owned = await open();
    put('results.csv');
    await expect(owned.write('results.csv', 'ours')).rejects.toThrow(
      /out\/results\.csv' was not written by localgrad and is not overwritten\. Move it, or choose another --output\./,
    );
    await owned.remove('results.csv');
    expect(contentOf('results.csv')).toBe('mine');
    expect(owned.owns('results.csv')).toBe(false);
  });

  it('removes files that it recorded, and owns everything in a recorded subfolder', async () => {
    const owned = await open();
    await owned.record(['figures/']);
    await owned.write('figures/a.svg', 'a');
    await owned.remove('figures/a.svg');
    await owned.remove('figures/missing.svg');
    expect(readdirSync(join(folder, 'figures'))).toEqual([]);
    expect((await open()).owns('figures/b.svg')).toBe(true);
    expect(owned.owns('figures')).toBe(false);
    expect(owned.owns('figures.csv')).toBe(false);
  });

  it('keeps names that another process recorded in the meantime', async () => {
    const [first, second] = [await open(), await open()];
    await first.record(['a']);
    await second.record(['b']);
    expect((await open()).files).toEqual(['a', 'b']);
  });

  it('rejects a folder of another kind', async () => {
    await open(folder, 'sweep');
    await expect(open()).rejects.toThrow(`Folder '${folder}' contains a localgrad sweep, not a report.`);
  });

  it.each(['', ' '])("rejects an empty path ('%s')", async (path) => {
    await expect(open(path)).rejects.toThrow('--output is empty: perhaps an unset variable.');
    await expect(OwnedFolder.open(path, { kind: 'sweep', option: '--folder' })).rejects.toThrow(/omit --folder\.$/);
  });

  it('rejects a file, a path below a file, and a name that is too long', async () => {
    writeFileSync(folder, '');
    await expect(open()).rejects.toThrow(`--output: '${folder}' is a file or lies below one.`);
    await expect(open(join(folder, 'run'))).rejects.toThrow(/is a file or lies below one/);
    await expect(open(join(parent, 'a'.repeat(300)))).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(/the name is too long for the file system/),
    });
    expect(readFileSync(folder, 'utf8')).toBe('');
  });

  it.each(['', 'null', '{}', '[]', '{"format":"other"}'])('does not trust a damaged marker (%j)', async (text) => {
    put(markerName, text);
    put('report.html');
    await expect(open()).rejects.toThrow(/was not created by localgrad: it contains 'report\.html'/);
    rmSync(join(folder, 'report.html'));
    await (await open()).write('report.html', 'ours');
  });

  it('owns files of an earlier version that the caller recognizes', async () => {
    put('report.html');
    put('notes.txt');
    const recognize = async (_: string, names: readonly string[]) => ({
      files: names.filter((name) => name === 'report.html'),
    });
    const owned = await OwnedFolder.open(folder, { kind: 'report', recognize });
    await owned.write('report.html', 'ours');
    await expect(owned.write('notes.txt', 'ours')).rejects.toThrow(/notes\.txt' was not written by localgrad/);
  });

  it('inspects a folder without writing', async () => {
    await OwnedFolder.inspect(folder, { kind: 'report' });
    expect(existsSync(folder)).toBe(false);
  });
});

describe('a run folder without a marker', () => {
  const config = 'method: dgl\nbackbone: tiny\ndataset: fashion-mnist-subset\nepochs: 3\nseed: 1\n';

  it('is recognized by its config, and owns only the files of a run', async () => {
    for (const name of ['metrics.jsonl', 'notes.txt', 'checkpoints/step-00000001.json']) put(name);
    put('config.yaml', config);
    const owned = await inspectRunFolder(folder);
    expect(owned.owns('metrics.jsonl')).toBe(true);
    expect(owned.owns('checkpoints/step-00000001.json')).toBe(true);
    expect(owned.owns('notes.txt')).toBe(false);
  });

  it('is recognized by claims alone', async () => {
    put('claims/000001.json');
    expect((await inspectRunFolder(folder)).files).toEqual(['claims/']);
    put('other');
    await expect(inspectRunFolder(folder)).rejects.toThrow(/contains 'claims', 'other'/);
  });

  it.each(['', '[]', 'defaults: [model]\n', 'a: [1', 'a: &a [*a]\n', config.replace('seed: 1', 'seed: one')])(
    "is not recognized by somebody else's config.yaml (%j)",
    async (text) => {
      put('config.yaml', text);
      await expect(inspectRunFolder(folder)).rejects.toThrow(
        /contains 'config\.yaml'\. Its 'config\.yaml' is not the config of a localgrad run\. Choose a new or empty folder/,
      );
      expect(contentOf('config.yaml')).toBe(text);
    },
  );
});
