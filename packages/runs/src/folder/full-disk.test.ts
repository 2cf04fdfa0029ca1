import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { listAttempts } from './attempts.js';
import { Claim } from './claim.js';
import { type FileSystem, fileSystem } from './file-system.js';
import { createFolder, writeWhole } from './files.js';
import { readRunState } from './run-state.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-full-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

it.runIf(process.platform === 'linux')(
  'a folder that cannot be created in /proc is reported, without a hang',
  async () => {
    await expect(createFolder('/proc/localgrad/run')).rejects.toThrow(
      "Cannot create folder '/proc/localgrad/run': the file system does not allow it there. Choose another folder.",
    );
  },
);

function failWith(code: string, ...calls: (keyof FileSystem)[]): void {
  for (const call of calls) {
    vi.spyOn(fileSystem, call).mockImplementation(() => {
      throw Object.assign(new Error(`${code}: no`), { code });
    });
  }
}

/** New content is rejected; a file that exists can still be overwritten with as many bytes as it has room for. */
function failNewFiles(code: string): void {
  const { open } = fileSystem;
  vi.spyOn(fileSystem, 'open').mockImplementation(async (path, flags) => {
    if (flags.startsWith('w')) throw Object.assign(new Error(`${code}: no`), { code });
    return open(path, flags);
  });
}

describe('a disk that accepts no more data', () => {
  it.each([
    ['ENOSPC', /Cannot write '.*x\.json': the disk is full\. Free some space/],
    ['EDQUOT', /disk quota is used up/],
    ['EACCES', /permission denied\. Change the folder's permissions/],
    ['EIO', /input\/output error/],
  ])('is named with its cure and leaves no partial files: %s', async (code, message) => {
    failWith(code, 'write');
    await expect(writeWhole(join(folder, 'x.json'), 'x')).rejects.toThrow(message);
    await expect(Claim.acquire(folder)).rejects.toThrow(/Cannot write '.*000001\.json': /);
    expect(readdirSync(folder)).toEqual(['claims']);
    expect(readdirSync(join(folder, 'claims'))).toEqual([]);
  });

  it('is reported when a folder cannot be created', async () => {
    failWith('EROFS', 'mkdir');
    await expect(createFolder(join(folder, 'x'))).rejects.toThrow(/read-only\. Mount it writable/);
  });

  it('allows an attempt to release its claim, by overwriting the existing file', async () => {
    const claim = await Claim.acquire(folder);
    failNewFiles('ENOSPC');
    await expect(claim?.noteCheckpoint(3)).rejects.toThrow(/disk is full/);
    await claim?.release('failed', 'the disk is full');
    expect(await listAttempts(folder)).toMatchObject([{ outcome: 'failed', isActive: false }]);
    expect(readFileSync(join(folder, 'claims', '000001.json'), 'utf8')).toMatch(/"failed","message":".*"\}\n$/);
    expect(readdirSync(join(folder, 'claims'))).toEqual(['000001.json']);
  });

  it('does not make a process wait for its own released claim', async () => {
    const claim = await Claim.acquire(folder);
    failWith('ENOSPC', 'write');
    await claim?.release('failed');
    expect(await readRunState(folder)).toMatchObject({ status: 'waiting' });
    vi.restoreAllMocks();
    const next = await Claim.acquire(folder);
    expect(next?.attempt).toBe(1);
    expect((await readRunState(folder)).status).toBe('running');
    failWith('ENOSPC', 'write', 'unlink');
    await next?.release('failed');
    // Other processes see a claim of a live process; this one knows better.
    expect(readFileSync(join(folder, 'claims', '000001.json'), 'utf8')).not.toContain('outcome');
    expect(await readRunState(folder)).toMatchObject({ status: 'interrupted' });
  });
});
