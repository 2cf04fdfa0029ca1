import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { claimNumbers, claimsFolder, highestClaim, highestClaimSync, removeLeftovers } from './claim-files.js';
import { fileSystem } from './file-system.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-claim-files-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

describe('the claims of a folder', () => {
  it('are the names that localgrad writes, by number', async () => {
    const claims = ['000010.json', '000002.json', '1000000.json', '999999.json', '000007.json'];
    const others = ['1.json', '0000001.json', '00000a.json', '000003.json.bak', '000004.JSON', '2000000'];
    for (const name of [...claims, ...others]) writeFileSync(join(folder, name), '');
    expect(await claimNumbers(folder)).toEqual([2, 7, 10, 999_999, 1_000_000]);
    expect(await highestClaim(folder)).toBe(1_000_000);
    expect(highestClaimSync(folder)).toBe(1_000_000);
  });

  it('are none in an empty or missing folder', async () => {
    for (const path of [folder, join(folder, 'missing')]) {
      expect(await claimNumbers(path)).toEqual([]);
      expect(await highestClaim(path)).toBe(0);
      expect(highestClaimSync(path)).toBe(0);
    }
  });

  it('are unknown if the folder cannot be read', async () => {
    const error = Object.assign(new Error('EIO'), { code: 'EIO' });
    vi.spyOn(fileSystem, 'readdir').mockRejectedValue(error);
    vi.spyOn(fileSystem, 'readdirSync').mockImplementation(() => {
      throw error;
    });
    await expect(highestClaim(folder)).rejects.toThrow(/Cannot read/);
    expect(() => highestClaimSync(folder)).toThrow(/Cannot read/);
  });
});

it('leftovers are removed once they are as much older than the newest claim as a claim lives', async () => {
  const claims = claimsFolder(folder);
  mkdirSync(claims);
  const write = (name: string, seconds: number) => {
    writeFileSync(join(claims, name), '');
    utimesSync(join(claims, name), seconds, seconds);
  };
  const newest = 1_700_000_100;
  write('000001.json', newest);
  write('draft.a1', newest - 60);
  write('draft.a2', newest - 59.95);
  await removeLeftovers(folder, join(claims, '000001.json'), 60);
  expect(['draft.a1', 'draft.a2'].map((name) => existsSync(join(claims, name)))).toEqual([false, true]);
});
