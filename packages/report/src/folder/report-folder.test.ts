import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reportMarkerName } from './marker.js';
import { ReportFolder } from './report-folder.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'localgrad-folder-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const files = (...entries: [name: string, content: string][]) => new Map(entries);
const write = async (path: string, ...entries: [string, string][]) =>
  (await ReportFolder.inspect(path)).replace(files(...entries));
const names = async (path: string) => (await readdir(path, { recursive: true })).sort();

describe('ReportFolder', () => {
  it('writes into new, empty and marked folders, and removes files of the earlier report', async () => {
    const report = join(folder, 'new', 'report');
    await write(report, ['a.md', '1'], ['figures/x.svg', '<svg/>'], ['figures/y.svg', '<svg/>']);
    await write(report, ['a.md', '2'], ['figures/x.svg', '<svg/>']);
    expect(await names(report)).toEqual([reportMarkerName, 'a.md', 'figures', 'figures/x.svg']);
    expect(await readFile(join(report, 'a.md'), 'utf8')).toBe('2');
    await writeFile(join(folder, '.DS_Store'), '');
    await rm(join(folder, 'new'), { recursive: true });
    await write(folder, ['a.md', '1']);
    expect(await names(folder)).toEqual(['.DS_Store', reportMarkerName, 'a.md']);
  });

  it('rejects a folder with other files, and leaves it unchanged', async () => {
    await writeFile(join(folder, 'results.csv'), 'mine');
    await expect(write(folder, ['results.csv', 'ours'])).rejects.toThrow(
      /contains 'results.csv' and is not marked as a localgrad report/,
    );
    await writeFile(join(folder, reportMarkerName), '{}');
    await expect(write(folder, ['results.csv', 'ours'])).rejects.toThrow(/not marked/);
    expect(await readFile(join(folder, 'results.csv'), 'utf8')).toBe('mine');
  });

  it('rejects changed files, and files that the user added under a name of the report, before it writes', async () => {
    await write(folder, ['a.md', '1'], ['b.md', '1']);
    await writeFile(join(folder, 'b.md'), 'edited');
    await writeFile(join(folder, 'c.md'), 'mine');
    await expect(write(folder, ['a.md', '2'], ['b.md', '2'], ['c.md', '2'])).rejects.toThrow(
      /b\.md', '.*c\.md' changed after localgrad wrote them.*nothing was written/,
    );
    expect(await readFile(join(folder, 'a.md'), 'utf8')).toBe('1');
    // The same content as the new one is no change.
    await writeFile(join(folder, 'b.md'), '2');
    await rm(join(folder, 'c.md'));
    await write(folder, ['a.md', '2'], ['b.md', '2']);
    expect(await readFile(join(folder, 'a.md'), 'utf8')).toBe('2');
  });

  it('keeps stale files that changed, and files that it did not write', async () => {
    await write(folder, ['a.md', '1'], ['figures/x.svg', '1']);
    await writeFile(join(folder, 'figures/x.svg'), 'edited');
    await writeFile(join(folder, 'figures/mine.svg'), 'mine');
    await write(folder, ['a.md', '2']);
    expect(await names(join(folder, 'figures'))).toEqual(['mine.svg', 'x.svg']);
  });

  it('continues after an interruption at any file', async () => {
    await write(folder, ['a.md', '1'], ['b.md', '1']);
    await rm(join(folder, 'b.md'));
    await mkdir(join(folder, 'b.md'));
    // A folder in place of a file is not replaced.
    await expect(write(folder, ['a.md', '2'], ['b.md', '2'])).rejects.toThrow(/b\.md/);
    await rm(join(folder, 'b.md'), { recursive: true });
    await symlink('/nonexistent', join(folder, 'b.md'));
    await write(folder, ['a.md', '2'], ['b.md', '2']);
    expect(await readFile(join(folder, 'b.md'), 'utf8')).toBe('2');
  });

  it('rejects the marker of a newer version, and leaves the folder unchanged', async () => {
    await write(folder, ['a.md', '1']);
    const marker = join(folder, reportMarkerName);
    const newer = (await readFile(marker, 'utf8')).replace('"formatVersion": 1', '"formatVersion": 2');
    await writeFile(marker, newer);
    await expect(write(folder, ['a.md', '2'])).rejects.toThrow(/was written by a newer version of localgrad/);
    expect(await readFile(marker, 'utf8')).toBe(newer);
    expect(await readFile(join(folder, 'a.md'), 'utf8')).toBe('1');
  });

  it.skipIf(process.platform === 'win32')('does not wait for pipes', async () => {
    await write(folder, ['a.md', '1'], ['b.md', '1']);
    await rm(join(folder, 'b.md'));
    execFileSync('mkfifo', [join(folder, 'b.md')]);
    await expect(write(folder, ['b.md', '2'])).rejects.toThrow(/b\.md' changed after localgrad wrote it/);
    await rm(join(folder, reportMarkerName));
    execFileSync('mkfifo', [join(folder, reportMarkerName)]);
    await expect(write(folder, ['a.md', '2'])).rejects.toThrow(/not marked/);
  });

  it('ignores paths in an edited marker that lead out of the folder', async () => {
    const report = join(folder, 'report');
    await write(report, ['a.md', '1']);
    await writeFile(join(folder, 'victim'), '1');
    const marker = join(report, reportMarkerName);
    const text = await readFile(marker, 'utf8');
    await writeFile(marker, text.replace('"a.md"', '"../victim"'));
    await rm(join(report, 'a.md'));
    await write(report, ['b.md', '1']);
    expect(await readdir(folder)).toContain('victim');
  });

  it.each([
    ['', /--output is empty/],
    ['afile', /'.*afile' is a file or lies below one/],
    ['afile/report', /is a file or lies below one/],
    ['a'.repeat(300), /is too long for the file system/],
  ])('rejects %j with one sentence', async (name, message) => {
    await writeFile(join(folder, 'afile'), '');
    await expect(ReportFolder.inspect(name === '' ? '' : join(folder, name))).rejects.toThrow(message);
  });
});
