import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { listAttempts } from './attempts.js';
import { deadOwner, elsewhere, TemporaryClaims } from './claim.fixture.js';
import { Claim } from './claim.js';
import { fileSystem } from './file-system.js';
import { readRunState } from './run-state.js';

const run = new TemporaryClaims();

describe('Claim', () => {
  it('is acquired by exactly one of many', async () => {
    const claims = await Promise.all(Array.from({ length: 20 }, () => Claim.acquire(run.folder)));
    const held = claims.filter((claim) => claim !== undefined);
    expect(held).toHaveLength(1);
    expect(await Claim.acquire(run.folder)).toBeUndefined();
    await held[0]?.release('stopped');
    const next = await Claim.acquire(run.folder);
    expect(next?.attempt).toBe(2);
    await next?.release('finished');
  });

  it('is taken over immediately from a dead process of this machine', async () => {
    run.writeClaim(1, { owner: await deadOwner() });
    expect((await readRunState(run.folder)).status).toBe('interrupted');
    const claim = await Claim.acquire(run.folder);
    expect(claim?.attempt).toBe(2);
    await claim?.release('stopped');
  });

  it('is taken over from another machine after a long time without a heartbeat', async () => {
    run.writeClaim(1, { owner: elsewhere }, 30);
    expect(await Claim.acquire(run.folder)).toBeUndefined();
    expect((await readRunState(run.folder)).status).toBe('running');
    run.writeClaim(1, { owner: elsewhere }, 90);
    const claim = await Claim.acquire(run.folder);
    expect(claim?.attempt).toBe(2);
    // If the other process only slept, it notices before it writes anything.
    run.writeClaim(3, { owner: elsewhere });
    expect(claim?.isTakenOver).toBe(false);
    await expect(claim?.assertHeld()).rejects.toThrow(/Attempt 2 .* taken over by attempt 3/);
    expect(claim?.isTakenOver).toBe(true);
    expect(() => claim?.assertHeldSync()).toThrow(/taken over by attempt 3/);
    await claim?.release('stopped');
  });

  it('treats an unreadable claim, as after a power failure, as a lost attempt', async () => {
    for (const text of ['', '{', 'null', '{"owner":{}}']) {
      run.writeClaim(1, text);
      expect((await readRunState(run.folder)).status).toBe('running');
      run.writeClaim(1, text, 90);
      expect(await readRunState(run.folder)).toMatchObject({ status: 'interrupted', losses: 1 });
    }
    const claim = await Claim.acquire(run.folder);
    expect(claim?.attempt).toBe(2);
    await claim?.release('stopped');
  });

  it('removes half-written files of killed processes, but no file that is being written', async () => {
    run.writeClaim(1, { owner: elsewhere, outcome: 'stopped' });
    const leftovers = ['claims/draft.1', 'claims/clock.1', 'claims/000001.json.7.partial', 'summary.json.7.partial'];
    for (const name of leftovers) run.writeOld(join(run.folder, name), '', 90);
    for (const name of ['config.yaml', 'claims/other']) run.writeOld(join(run.folder, name), '', 90);
    run.writeOld(join(run.folder, 'young.partial'), '', 0);
    const claim = await Claim.acquire(run.folder);
    for (const name of leftovers) expect(existsSync(join(run.folder, name)), name).toBe(false);
    expect(readdirSync(run.folder).sort()).toEqual(['claims', 'config.yaml', 'young.partial']);
    expect(readdirSync(join(run.folder, 'claims')).sort()).toEqual(['000001.json', '000002.json', 'other']);
    await claim?.release('stopped');
  });

  it('can be read by many processes at the same time', async () => {
    run.writeClaim(1, { owner: elsewhere });
    const states = await Promise.all(Array.from({ length: 30 }, () => readRunState(run.folder)));
    expect(new Set(states.map(({ status }) => status))).toEqual(new Set(['running']));
    expect(readdirSync(join(run.folder, 'claims'))).toEqual(['000001.json']);
  });

  it('is not active if it is removed while being read; other errors are not hidden', async () => {
    run.writeClaim(1, { owner: elsewhere });
    const stat = vi.spyOn(fileSystem, 'stat');
    stat.mockRejectedValueOnce(Object.assign(new Error('ENOENT'), { code: 'ENOENT' }));
    expect(await listAttempts(run.folder)).toMatchObject([{ isActive: false }]);
    stat.mockRejectedValueOnce(Object.assign(new Error('input/output error'), { code: 'EIO' }));
    await expect(listAttempts(run.folder)).rejects.toThrow('input/output error');
    stat.mockRejectedValueOnce(Object.assign(new Error('input/output error'), { code: 'EIO' }));
    expect(await readRunState(run.folder)).toMatchObject({ status: 'unreadable' });
  });

  it('gets the number after the highest one; foreign file names are ignored', async () => {
    for (const number of [1, 2, 999_999]) run.writeClaim(number, { owner: elsewhere, outcome: 'stopped' });
    run.writeOld(join(run.folder, 'claims', '1.json'), '{}', 0);
    run.writeOld(join(run.folder, 'claims', '9000000x.json'), '{}', 0);
    const claim = await Claim.acquire(run.folder);
    expect(claim?.attempt).toBe(1_000_000);
    expect((await listAttempts(run.folder)).map(({ number }) => number)).toEqual([1, 2, 999_999, 1_000_000]);
    await expect(claim?.assertHeld()).resolves.toBeUndefined();
    expect(() => claim?.assertHeldNow()).not.toThrow();
    await claim?.release('stopped');
  });

  it('keeps leftovers that are younger than the lifetime of a claim', async () => {
    const claims = join(run.folder, 'claims');
    mkdirSync(claims, { recursive: true });
    run.writeOld(join(claims, 'draft.1'), '', 58);
    run.writeOld(join(claims, 'draft.2'), '', 62);
    await (await Claim.acquire(run.folder))?.release('stopped');
    expect(readdirSync(claims)).toEqual(['000001.json', 'draft.1']);
  });

  it('keeps the history of attempts', async () => {
    const first = await Claim.acquire(run.folder);
    await first?.noteCheckpoint(40);
    await first?.release('failed', 'out of luck');
    const attempts = await listAttempts(run.folder);
    expect(attempts).toMatchObject([
      { number: 1, checkpointStep: 40, outcome: 'failed', message: 'out of luck', isActive: false },
    ]);
  });
});
