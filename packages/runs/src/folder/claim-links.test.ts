import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { listAttempts } from './attempts.js';
import { TemporaryClaims } from './claim.fixture.js';
import { Claim } from './claim.js';
import { fileSystem } from './file-system.js';
import { thisProcess } from './process-identity.js';

const run = new TemporaryClaims();

describe('Claim', () => {
  it.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV', 'EINVAL'])(
    'works without hard links, and is still acquired by exactly one of many (%s)',
    async (code) => {
      vi.spyOn(fileSystem, 'link').mockRejectedValue(Object.assign(new Error(code), { code }));
      const claims = await Promise.all(Array.from({ length: 20 }, () => Claim.acquire(run.folder)));
      const held = claims.filter((claim) => claim !== undefined);
      expect(held).toHaveLength(1);
      expect(await listAttempts(run.folder)).toMatchObject([{ number: 1, owner: thisProcess(), isActive: true }]);
      expect(readdirSync(join(run.folder, 'claims'))).toEqual(['000001.json']);
      await held[0]?.release('stopped');
    },
  );

  it('explains other link errors, and leaves no draft', async () => {
    vi.spyOn(fileSystem, 'link').mockRejectedValue(Object.assign(new Error('EIO'), { code: 'EIO' }));
    await expect(Claim.acquire(run.folder)).rejects.toThrow(/Cannot write '.*000001\.json': the disk or the network/);
    expect(readdirSync(join(run.folder, 'claims'))).toEqual([]);
  });

  it('leaves nothing behind if its content cannot be written after an exclusive create', async () => {
    vi.spyOn(fileSystem, 'link').mockRejectedValue(Object.assign(new Error('EPERM'), { code: 'EPERM' }));
    const { write } = fileSystem;
    vi.spyOn(fileSystem, 'write')
      .mockImplementationOnce(write)
      .mockRejectedValueOnce(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }));
    await expect(Claim.acquire(run.folder)).rejects.toThrow(/disk is full/);
    expect(readdirSync(join(run.folder, 'claims'))).toEqual([]);
  });

  it('is acquired if the file server reports a successful link as failed', async () => {
    const { link } = fileSystem;
    vi.spyOn(fileSystem, 'link').mockImplementation(async (from, to) => {
      await link(from, to);
      throw Object.assign(new Error('EEXIST'), { code: 'EEXIST' });
    });
    const claim = await Claim.acquire(run.folder);
    expect(claim?.attempt).toBe(1);
    await claim?.release('stopped');
  });
});
