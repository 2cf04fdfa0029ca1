import { readFileSync, statSync, utimesSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { listAttempts } from './attempts.js';
import { elsewhere, TemporaryClaims } from './claim.fixture.js';
import { Claim } from './claim.js';
import { fileSystem } from './file-system.js';
import { thisProcess } from './process-identity.js';

const run = new TemporaryClaims();
/** A busy machine may take long until a heartbeat; the wait ends with it. */
const patience = { timeout: 15_000 };

describe('Claim', () => {
  it('sends heartbeats with the time stamp of the file server', async () => {
    const claim = await Claim.acquire(run.folder, { heartbeatSeconds: 0.02 });
    const old = new Date(Date.now() - 90_000);
    utimesSync(run.fileOf(1), old, old);
    await vi.waitFor(() => expect(Date.now() - statSync(run.fileOf(1)).mtimeMs).toBeLessThan(30_000), patience);
    expect(await listAttempts(run.folder)).toMatchObject([{ owner: thisProcess(), isActive: true }]);
    // A heartbeat detects that it is too late.
    run.writeClaim(2, { owner: elsewhere });
    await vi.waitFor(() => expect(claim?.isTakenOver).toBe(true), patience);
    await claim?.release('stopped');
    expect((await listAttempts(run.folder))[0]).toMatchObject({ outcome: 'stopped' });
  });

  it('checks ownership synchronously before others may take over', async () => {
    const claim = await Claim.acquire(run.folder);
    run.writeClaim(2, { owner: elsewhere });
    // Too early for a takeover: the folder need not be read.
    expect(() => claim?.assertHeldSync()).not.toThrow();
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 31_000);
    expect(() => claim?.assertHeldSync()).toThrow(/Attempt 1 .* taken over by attempt 2/);
    vi.restoreAllMocks();
    await claim?.release('stopped');
  });

  it.each([
    [59, true],
    [61, false],
    // Dated in the future: the next heartbeat of its owner would have corrected it.
    [-59, true],
    [-61, false],
    [-86_400, false],
  ])('of another machine whose last sign is %d s old is active: %s', async (secondsOld, isActive) => {
    run.writeClaim(1, { owner: elsewhere }, secondsOld);
    expect((await listAttempts(run.folder)).map((attempt) => attempt.isActive)).toEqual([isActive]);
    expect((await Claim.acquire(run.folder))?.attempt).toBe(isActive ? undefined : 2);
  });

  it.each([
    [119, 120, true],
    [121, 120, false],
    // A lifetime shorter than the default has no effect.
    [59, 30, true],
    // The lifetime is capped at a quarter of an hour.
    [1000, 5000, false],
  ])('%d s old with a lifetime of %d s is active: %s', async (secondsOld, lifetimeSeconds, isActive) => {
    run.writeClaim(1, { owner: elsewhere, lifetimeSeconds }, secondsOld);
    expect((await listAttempts(run.folder)).map((attempt) => attempt.isActive)).toEqual([isActive]);
  });

  it('stays valid longer if its steps are long', async () => {
    const claim = await Claim.acquire(run.folder);
    const start = Date.now();
    claim?.assertHeldSync();
    const content = () => JSON.parse(readFileSync(run.fileOf(1), 'utf8'));
    vi.spyOn(Date, 'now').mockReturnValue(start + 14_000);
    claim?.assertHeldSync();
    await claim?.noteCheckpoint(1);
    expect(content().lifetimeSeconds).toBeUndefined();
    vi.spyOn(Date, 'now').mockReturnValue(start + 14_000 + 15_100);
    claim?.assertHeldSync();
    await claim?.noteCheckpoint(1);
    expect(content().lifetimeSeconds).toBe(61);
    // Rewritten only when it has doubled.
    vi.spyOn(Date, 'now').mockReturnValue(start + 29_000 + 29_000);
    claim?.assertHeldSync();
    await claim?.noteCheckpoint(1);
    expect(content().lifetimeSeconds).toBe(61);
    vi.spyOn(Date, 'now').mockReturnValue(start + 58_000 + 50_000);
    claim?.assertHeldSync();
    await claim?.noteCheckpoint(2);
    expect(content().lifetimeSeconds).toBe(200);
    vi.spyOn(Date, 'now').mockReturnValue(start + 108_000 + 7_200_000);
    claim?.assertHeldSync();
    await claim?.noteCheckpoint(3);
    expect(content()).toMatchObject({ lifetimeSeconds: 900, checkpointStep: 3 });
    vi.restoreAllMocks();
    await claim?.release('stopped');
  });

  it('sends heartbeats while a long step blocks the main thread', async () => {
    const claim = await Claim.acquire(run.folder, { heartbeatSeconds: 0.05 });
    claim?.assertHeldSync();
    // Time for the thread to start, without a turn of this thread's event loop.
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const begun = Date.now();
    const old = new Date(begun - 90_000);
    let signs = 0;
    while (signs < 2 && Date.now() - begun < 20_000) {
      utimesSync(run.fileOf(1), old, old);
      Atomics.wait(flag, 0, 0, 200);
      if (statSync(run.fileOf(1)).mtimeMs > begun - 30_000) signs++;
    }
    expect(signs).toBe(2);
    // The thread also detects that the run was taken over.
    run.writeClaim(2, { owner: elsewhere });
    while (claim?.isTakenOver === false && Date.now() - begun < 40_000) Atomics.wait(flag, 0, 0, 50);
    expect(() => claim?.assertHeldSync()).toThrow(/taken over by attempt 2/);
    await claim?.release('stopped');
  }, 60_000);

  it('sends heartbeats from the main thread if the heartbeat thread fails', async () => {
    const open = vi.spyOn(fileSystem, 'open');
    const claim = await Claim.acquire(run.folder, { heartbeatSeconds: 0.02 });
    open.mockClear();
    // The last heartbeat appears old, whatever the thread does.
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 600_000);
    await vi.waitFor(() => expect(open).toHaveBeenCalledWith(run.fileOf(1), 'r+'), patience);
    await claim?.release('stopped');
  });

  it('sends no heartbeats if the main thread makes no progress', async () => {
    const start = Date.now();
    vi.spyOn(Date, 'now').mockReturnValue(start - 1_801_000);
    const claim = await Claim.acquire(run.folder, { heartbeatSeconds: 0.02 });
    vi.spyOn(Date, 'now').mockReturnValue(start - 1_801_000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const old = new Date(start - 90_000);
    utimesSync(run.fileOf(1), old, old);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(statSync(run.fileOf(1)).mtimeMs).toBeLessThan(start - 80_000);
    vi.restoreAllMocks();
    claim?.assertHeldSync();
    await vi.waitFor(() => expect(statSync(run.fileOf(1)).mtimeMs).toBeGreaterThan(start - 30_000), patience);
    await claim?.release('stopped');
  });
});
