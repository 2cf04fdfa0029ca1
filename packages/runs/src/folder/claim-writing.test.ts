import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { overwrite, publishClaim } from './claim-writing.js';
import { fileSystem } from './file-system.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-claim-writing-'));
  file = join(folder, '000001.json');
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

const failing = (code: string) => Object.assign(new Error(code), { code });

describe('publishClaim', () => {
  it.each([undefined, 'EPERM'])('creates a claim once, whether hard links work or fail with %s', async (code) => {
    if (code !== undefined) vi.spyOn(fileSystem, 'link').mockRejectedValue(failing(code));
    expect(await publishClaim(folder, file, 'first')).toBe(true);
    expect(await publishClaim(folder, file, 'second')).toBe(false);
    expect(readFileSync(file, 'utf8')).toBe('first');
    expect(readdirSync(folder)).toEqual(['000001.json']);
  });

  it('fails if its draft was removed as a leftover, because the process slept', async () => {
    vi.spyOn(fileSystem, 'link').mockRejectedValue(failing('ENOENT'));
    expect(await publishClaim(folder, file, 'first')).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('overwrite', () => {
  it.each(['longer than before', 'short', ''])('replaces the content of a file by %j', async (text) => {
    writeFileSync(file, 'old content');
    const sync = vi.spyOn(fileSystem, 'fsync');
    const close = vi.spyOn(fileSystem, 'close');
    await overwrite(file, text);
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect(sync).toHaveBeenCalledTimes(1);
    expect(close).toHaveBeenCalledTimes(1);
    expect(sync.mock.invocationCallOrder[0]).toBeLessThan(close.mock.invocationCallOrder[0] ?? 0);
  });

  it('continues after partial writes', async () => {
    writeFileSync(file, 'old content');
    const { write } = fileSystem;
    const spy = vi
      .spyOn(fileSystem, 'write')
      .mockImplementation((handle, bytes, position) => write(handle, bytes.subarray(0, 2), position));
    await overwrite(file, 'new text');
    expect(readFileSync(file, 'utf8')).toBe('new text');
    expect(spy.mock.calls.map(([, , position]) => position)).toEqual([0, 2, 4, 6]);
  });

  it('closes the file after a failure, and never creates one', async () => {
    await expect(overwrite(file, 'x')).rejects.toThrow('ENOENT');
    writeFileSync(file, 'old content');
    const close = vi.spyOn(fileSystem, 'close');
    vi.spyOn(fileSystem, 'write').mockRejectedValue(failing('ENOSPC'));
    await expect(overwrite(file, 'x')).rejects.toThrow('ENOSPC');
    expect(close).toHaveBeenCalledTimes(1);
  });
});
