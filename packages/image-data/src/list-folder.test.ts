import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { loadNamedOrFolder, openImages } from './dataset.js';
import { fixture } from './images.fixture.js';

const root = mkdtempSync(join(tmpdir(), 'localgrad-list-'));
const at = (...names: string[]) => join(root, 'photos', ...names);
beforeEach(() => {
  rmSync(join(root, 'photos'), { recursive: true, force: true });
  for (const name of ['ant', 'cat']) put(name, '0.png', '1.png');
});
afterAll(() => rmSync(root, { recursive: true }));

function put(folder: string, ...names: string[]): void {
  mkdirSync(at(folder), { recursive: true });
  for (const name of names) cpSync(fixture('folder', 'cat', 'color.png'), at(folder, name));
}

const open = () => openImages({ folder: at() });

describe('imageFolder', () => {
  it('follows links to folders and to files', async () => {
    mkdirSync(join(root, 'elsewhere'), { recursive: true });
    for (const name of ['0.png', '1.png']) cpSync(at('ant', name), join(root, 'elsewhere', name));
    symlinkSync(join(root, 'elsewhere'), at('bee'));
    symlinkSync(at('ant', '0.png'), at('cat', '2.png'));
    const { train, test } = await open();
    expect(train.classes).toEqual(['ant', 'bee', 'cat']);
    expect([...train.labels, ...test.labels].sort()).toEqual([0, 0, 1, 1, 2, 2, 2]);
  });

  it('skips hidden files and folders', async () => {
    writeFileSync(at('ant', '._0.png'), 'resource fork');
    put('.thumbnails', '0.png');
    const { train, test } = await open();
    expect([train.classes, train.size + test.size]).toEqual([['ant', 'cat'], 4]);
  });

  it('reads the extensions of JPEG, in upper case too', async () => {
    put('ant', 'a.JPG', 'b.jpeg', 'c.jfif', 'd.jpe', 'e.txt');
    const { train, test } = await open();
    expect(train.size + test.size).toBe(8);
  });

  it.each(['x.bmp', 'x.PPM', 'x.heic'])('rejects %s, which it would leave out', async (name) => {
    put('cat', name);
    await expect(open()).rejects.toThrow(
      new RegExp(`cat.${name}: images of this format cannot be read; allowed: \\.jpg`),
    );
  });

  it('rejects images in folders below that of a class, which it would leave out', async () => {
    mkdirSync(at('cat', 'notes'));
    writeFileSync(at('cat', 'notes', 'sources.txt'), '');
    expect((await open()).train.classes).toEqual(['ant', 'cat']);
    cpSync(at('ant', '0.png'), at('cat', 'notes', 'more', '0.png'), { recursive: true });
    await expect(open()).rejects.toThrow(
      /cat.notes.more.0\.png: images in folders below that of a class would be left out\. Move them to '.*cat'/,
    );
  });

  it('finds training and test folders in any case', async () => {
    for (const name of ['Train', 'TEST']) cpSync(fixture('folder'), at(name), { recursive: true });
    const { train, test } = await open();
    expect([train.size, test.size]).toEqual([8, 8]);
  });

  it('names the folder to use if a class is itself a data set', async () => {
    mkdirSync(at('bee'));
    await expect(open()).rejects.toThrow(/bee contains no images .* Remove the folder, or add images of its class/);
    writeFileSync(at('bee', 'train.parquet'), '');
    await expect(open()).rejects.toThrow(
      /bee contains no images .*It contains Parquet files: use '.*bee' as the folder/,
    );
    rmSync(at('bee', 'train.parquet'));
    cpSync(at('ant'), at('bee', 'ant'), { recursive: true });
    await expect(open()).rejects.toThrow(/It contains folders of images: use '.*bee' as/);
  });

  it('is found by a path that starts with a dot', async () => {
    const entries = readdirSync('.', { withFileTypes: true });
    const { name = '' } = entries.find((entry) => entry.isDirectory() && !entry.name.startsWith('.')) ?? {};
    await expect(loadNamedOrFolder(name)).rejects.toThrow(`no data set '${name}'. For the folder, write './${name}'.`);
  });

  it('explains that a folder of training classes needs one of test classes', async () => {
    rmSync(at(), { recursive: true });
    cpSync(fixture('folder'), at('train'), { recursive: true });
    await expect(open()).rejects.toThrow(
      /has a folder 'train' of classes, but none named test, val.* use '.*train' as/,
    );
  });
});
