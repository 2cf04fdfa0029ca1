import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import type * as FileSystem from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { listAttempts } from './attempts.js';
import { Claim } from './claim.js';
import { createFolder, writeWhole } from './files.js';
import { readRunState } from './run-state.js';

/** What the file system answers; a file that is there can still be written to, unless `isHard`. */
const disk = vi.hoisted(() => ({ code: undefined as string | undefined, isHard: false, keepsAll: false }));

vi.mock('node:fs/promises', async (original) => {
  const actual = await original<typeof FileSystem>();
  const refuse = () => {
    throw Object.assign(new Error(`${disk.code}: no`), { code: disk.code });
  };
  return {
    ...actual,
    open: async (...args: Parameters<typeof actual.open>) => {
      const handle = await actual.open(...args);
      if (disk.code === undefined) return handle;
      if (args[1] === 'w') handle.writeFile = async () => refuse();
      if (disk.isHard) handle.write = async () => refuse();
      return handle;
    },
    rm: async (...args: Parameters<typeof actual.rm>) => (disk.keepsAll ? refuse() : actual.rm(...args)),
    mkdir: async (...args: Parameters<typeof actual.mkdir>) =>
      disk.code === 'EROFS' ? refuse() : actual.mkdir(...args),
  };
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-full-'));
});
afterEach(() => {
  Object.assign(disk, { code: undefined, isHard: false, keepsAll: false });
  rmSync(folder, { recursive: true, force: true });
});

describe('a disk that takes nothing more', () => {
  it.each([
    ['ENOSPC', /Cannot write '.*x\.json': the disk is full\. Make room/],
    ['EDQUOT', /share of the disk is used up/],
    ['EACCES', /may not write there\. Change the folder's permissions/],
  ])('is named with its cure, and gets no leftovers: %s', async (code, message) => {
    disk.code = code;
    await expect(writeWhole(join(folder, 'x.json'), 'x')).rejects.toThrow(message);
    await expect(Claim.acquire(folder)).rejects.toThrow(/Cannot write '.*000001\.json': /);
    expect(readdirSync(folder)).toEqual(['claims']);
    expect(readdirSync(join(folder, 'claims'))).toEqual([]);
  });

  it('is named also where a folder cannot be made', async () => {
    disk.code = 'EROFS';
    await expect(createFolder(join(folder, 'x'))).rejects.toThrow(/can only be read\. Mount it writable/);
  });

  it('still lets a run be given back, in the file that is there', async () => {
    const claim = await Claim.acquire(folder);
    disk.code = 'ENOSPC';
    await expect(claim?.noteCheckpoint(3)).rejects.toThrow(/disk is full/);
    await claim?.release('failed', 'the disk is full');
    expect(await listAttempts(folder)).toMatchObject([{ outcome: 'failed', isActive: false }]);
    expect(readFileSync(join(folder, 'claims', '000001.json'), 'utf8')).toMatch(/"failed","message":".*"\}\n$/);
    expect(readdirSync(join(folder, 'claims'))).toEqual(['000001.json']);
  });

  it('does not make this process wait for itself', async () => {
    const claim = await Claim.acquire(folder);
    Object.assign(disk, { code: 'ENOSPC', isHard: true });
    await claim?.release('failed');
    expect(await readRunState(folder)).toMatchObject({ status: 'waiting' });
    disk.code = undefined;
    const next = await Claim.acquire(folder);
    expect(next?.attempt).toBe(1);
    expect((await readRunState(folder)).status).toBe('running');
    Object.assign(disk, { code: 'ENOSPC', keepsAll: true });
    await next?.release('failed');
    // Others see a claim without an end of a process that lives; this one knows better.
    expect(readFileSync(join(folder, 'claims', '000001.json'), 'utf8')).not.toContain('outcome');
    expect(await readRunState(folder)).toMatchObject({ status: 'interrupted' });
  });
});
