import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { summaryOf } from '../run-summary.fixture.js';
import { listAttempts } from './attempts.js';
import { Claim } from './claim.js';
import { fileSystem } from './file-system.js';
import { forgetFailures, noteFailure, noteLoss } from './notes.js';
import { isAlive, thisProcess } from './process-identity.js';
import { readRunState } from './run-state.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-claim-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

const fileOf = (number: number) => join(folder, 'claims', `${String(number).padStart(6, '0')}.json`);

function writeOld(file: string, text: string, secondsOld: number): void {
  writeFileSync(file, text);
  const time = new Date(Date.now() - 1000 * secondsOld);
  utimesSync(file, time, time);
}

function writeClaim(number: number, content: object | string, secondsOld = 0): void {
  mkdirSync(join(folder, 'claims'), { recursive: true });
  const text =
    typeof content === 'string' ? content : JSON.stringify({ startedAt: '2026-01-01T00:00:00Z', ...content });
  writeOld(fileOf(number), text, secondsOld);
}

const elsewhere = { host: 'another-machine', pid: 1, startTicks: '1' };

/** A process of this machine that has ended. */
async function deadOwner() {
  const child = spawn(process.execPath, ['-e', '']);
  await new Promise((resolve) => child.once('exit', resolve));
  return { ...thisProcess(), pid: child.pid as number, startTicks: null };
}

describe('Claim', () => {
  it('is acquired by exactly one of many', async () => {
    const claims = await Promise.all(Array.from({ length: 20 }, () => Claim.acquire(folder)));
    const held = claims.filter((claim) => claim !== undefined);
    expect(held).toHaveLength(1);
    expect(await Claim.acquire(folder)).toBeUndefined();
    await held[0]?.release('stopped');
    const next = await Claim.acquire(folder);
    expect(next?.attempt).toBe(2);
    await next?.release('finished');
  });

  it('is taken over immediately from a dead process of this machine', async () => {
    writeClaim(1, { owner: await deadOwner() });
    expect((await readRunState(folder)).status).toBe('interrupted');
    const claim = await Claim.acquire(folder);
    expect(claim?.attempt).toBe(2);
    await claim?.release('stopped');
  });

  it('is taken over from another machine after a long time without a heartbeat', async () => {
    writeClaim(1, { owner: elsewhere }, 30);
    expect(await Claim.acquire(folder)).toBeUndefined();
    expect((await readRunState(folder)).status).toBe('running');
    writeClaim(1, { owner: elsewhere }, 90);
    const claim = await Claim.acquire(folder);
    expect(claim?.attempt).toBe(2);
    // If the other process only slept, it notices before it writes anything.
    writeClaim(3, { owner: elsewhere });
    expect(claim?.isTakenOver).toBe(false);
    await expect(claim?.assertHeld()).rejects.toThrow(/Attempt 2 .* taken over by attempt 3/);
    expect(claim?.isTakenOver).toBe(true);
    expect(() => claim?.assertHeldSync()).toThrow(/taken over by attempt 3/);
    await claim?.release('stopped');
  });

  it('sends heartbeats with the time stamp of the file server', async () => {
    const claim = await Claim.acquire(folder, { heartbeatSeconds: 0.02 });
    const old = new Date(Date.now() - 90_000);
    utimesSync(fileOf(1), old, old);
    await vi.waitFor(() => expect(Date.now() - statSync(fileOf(1)).mtimeMs).toBeLessThan(30_000));
    expect(await listAttempts(folder)).toMatchObject([{ owner: thisProcess(), isActive: true }]);
    // A heartbeat detects that it is too late.
    writeClaim(2, { owner: elsewhere });
    await vi.waitFor(() => expect(claim?.isTakenOver).toBe(true));
    await claim?.release('stopped');
    expect((await listAttempts(folder))[0]).toMatchObject({ outcome: 'stopped' });
  });

  it('checks ownership synchronously before others may take over', async () => {
    const claim = await Claim.acquire(folder);
    writeClaim(2, { owner: elsewhere });
    // Too early for a takeover: the folder need not be read.
    expect(() => claim?.assertHeldSync()).not.toThrow();
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 31_000);
    expect(() => claim?.assertHeldSync()).toThrow(/Attempt 1 .* taken over by attempt 2/);
    vi.restoreAllMocks();
    await claim?.release('stopped');
  });

  it('treats an unreadable claim, as after a power failure, as a lost attempt', async () => {
    for (const text of ['', '{', 'null', '{"owner":{}}']) {
      writeClaim(1, text);
      expect((await readRunState(folder)).status).toBe('running');
      writeClaim(1, text, 90);
      expect(await readRunState(folder)).toMatchObject({ status: 'interrupted', losses: 1 });
    }
    const claim = await Claim.acquire(folder);
    expect(claim?.attempt).toBe(2);
    await claim?.release('stopped');
  });

  it('removes half-written files of killed processes, but no file that is being written', async () => {
    writeClaim(1, { owner: elsewhere, outcome: 'stopped' });
    const leftovers = ['claims/draft.1', 'claims/clock.1', 'claims/000001.json.7.partial', 'summary.json.7.partial'];
    for (const name of leftovers) writeOld(join(folder, name), '', 90);
    for (const name of ['config.yaml', 'claims/other']) writeOld(join(folder, name), '', 90);
    writeOld(join(folder, 'young.partial'), '', 0);
    const claim = await Claim.acquire(folder);
    for (const name of leftovers) expect(existsSync(join(folder, name)), name).toBe(false);
    expect(readdirSync(folder).sort()).toEqual(['claims', 'config.yaml', 'young.partial']);
    expect(readdirSync(join(folder, 'claims')).sort()).toEqual(['000001.json', '000002.json', 'other']);
    await claim?.release('stopped');
  });

  it('can be read by many processes at the same time', async () => {
    writeClaim(1, { owner: elsewhere });
    const states = await Promise.all(Array.from({ length: 30 }, () => readRunState(folder)));
    expect(new Set(states.map(({ status }) => status))).toEqual(new Set(['running']));
    expect(readdirSync(join(folder, 'claims'))).toEqual(['000001.json']);
  });

  it.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV', 'EINVAL'])(
    'works without hard links, and is still acquired by exactly one of many (%s)',
    async (code) => {
      vi.spyOn(fileSystem, 'link').mockRejectedValue(Object.assign(new Error(code), { code }));
      const claims = await Promise.all(Array.from({ length: 20 }, () => Claim.acquire(folder)));
      const held = claims.filter((claim) => claim !== undefined);
      expect(held).toHaveLength(1);
      expect(await listAttempts(folder)).toMatchObject([{ number: 1, owner: thisProcess(), isActive: true }]);
      expect(readdirSync(join(folder, 'claims'))).toEqual(['000001.json']);
      await held[0]?.release('stopped');
    },
  );

  it('explains other link errors, and leaves no draft', async () => {
    vi.spyOn(fileSystem, 'link').mockRejectedValue(Object.assign(new Error('EIO'), { code: 'EIO' }));
    await expect(Claim.acquire(folder)).rejects.toThrow(/Cannot write '.*000001\.json': the disk or the network/);
    expect(readdirSync(join(folder, 'claims'))).toEqual([]);
  });

  it('leaves nothing behind if its content cannot be written after an exclusive create', async () => {
    vi.spyOn(fileSystem, 'link').mockRejectedValue(Object.assign(new Error('EPERM'), { code: 'EPERM' }));
    const { write } = fileSystem;
    vi.spyOn(fileSystem, 'write')
      .mockImplementationOnce(write)
      .mockRejectedValueOnce(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }));
    await expect(Claim.acquire(folder)).rejects.toThrow(/disk is full/);
    expect(readdirSync(join(folder, 'claims'))).toEqual([]);
  });

  it('is acquired if the file server reports a successful link as failed', async () => {
    const { link } = fileSystem;
    vi.spyOn(fileSystem, 'link').mockImplementation(async (from, to) => {
      await link(from, to);
      throw Object.assign(new Error('EEXIST'), { code: 'EEXIST' });
    });
    const claim = await Claim.acquire(folder);
    expect(claim?.attempt).toBe(1);
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
    writeClaim(1, { owner: elsewhere }, secondsOld);
    expect((await listAttempts(folder)).map((attempt) => attempt.isActive)).toEqual([isActive]);
    expect((await Claim.acquire(folder))?.attempt).toBe(isActive ? undefined : 2);
  });

  it.each([
    [119, 120, true],
    [121, 120, false],
    // A lifetime shorter than the default has no effect.
    [59, 30, true],
    // The lifetime is capped at a quarter of an hour.
    [1000, 5000, false],
  ])('%d s old with a lifetime of %d s is active: %s', async (secondsOld, lifetimeSeconds, isActive) => {
    writeClaim(1, { owner: elsewhere, lifetimeSeconds }, secondsOld);
    expect((await listAttempts(folder)).map((attempt) => attempt.isActive)).toEqual([isActive]);
  });

  it('stays valid longer if its steps are long', async () => {
    const claim = await Claim.acquire(folder);
    const start = Date.now();
    claim?.assertHeldSync();
    const content = () => JSON.parse(readFileSync(fileOf(1), 'utf8'));
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
    const claim = await Claim.acquire(folder, { heartbeatSeconds: 0.05 });
    claim?.assertHeldSync();
    // Time for the thread to start, without a turn of this thread's event loop.
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const begun = Date.now();
    const old = new Date(begun - 90_000);
    let signs = 0;
    while (signs < 2 && Date.now() - begun < 20_000) {
      utimesSync(fileOf(1), old, old);
      Atomics.wait(flag, 0, 0, 200);
      if (statSync(fileOf(1)).mtimeMs > begun - 30_000) signs++;
    }
    expect(signs).toBe(2);
    // The thread also detects that the run was taken over.
    writeClaim(2, { owner: elsewhere });
    while (claim?.isTakenOver === false && Date.now() - begun < 40_000) Atomics.wait(flag, 0, 0, 50);
    expect(() => claim?.assertHeldSync()).toThrow(/taken over by attempt 2/);
    await claim?.release('stopped');
  }, 60_000);

  it('sends heartbeats from the main thread if the heartbeat thread fails', async () => {
    const open = vi.spyOn(fileSystem, 'open');
    const claim = await Claim.acquire(folder, { heartbeatSeconds: 0.02 });
    open.mockClear();
    // The last heartbeat appears old, whatever the thread does.
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 600_000);
    await vi.waitFor(() => expect(open).toHaveBeenCalledWith(fileOf(1), 'r+'));
    await claim?.release('stopped');
  });

  it('is not active if it is removed while being read; other errors are not hidden', async () => {
    writeClaim(1, { owner: elsewhere });
    const stat = vi.spyOn(fileSystem, 'stat');
    stat.mockRejectedValueOnce(Object.assign(new Error('ENOENT'), { code: 'ENOENT' }));
    expect(await listAttempts(folder)).toMatchObject([{ isActive: false }]);
    stat.mockRejectedValueOnce(Object.assign(new Error('input/output error'), { code: 'EIO' }));
    await expect(listAttempts(folder)).rejects.toThrow('input/output error');
    stat.mockRejectedValueOnce(Object.assign(new Error('input/output error'), { code: 'EIO' }));
    expect(await readRunState(folder)).toMatchObject({ status: 'unreadable' });
  });

  it('sends no heartbeats if the main thread makes no progress', async () => {
    const start = Date.now();
    vi.spyOn(Date, 'now').mockReturnValue(start - 1_801_000);
    const claim = await Claim.acquire(folder, { heartbeatSeconds: 0.02 });
    vi.spyOn(Date, 'now').mockReturnValue(start - 1_801_000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const old = new Date(start - 90_000);
    utimesSync(fileOf(1), old, old);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(statSync(fileOf(1)).mtimeMs).toBeLessThan(start - 80_000);
    vi.restoreAllMocks();
    claim?.assertHeldSync();
    await vi.waitFor(() => expect(statSync(fileOf(1)).mtimeMs).toBeGreaterThan(start - 30_000));
    await claim?.release('stopped');
  });

  it('gets the number after the highest one; foreign file names are ignored', async () => {
    for (const number of [1, 2, 999_999]) writeClaim(number, { owner: elsewhere, outcome: 'stopped' });
    writeOld(join(folder, 'claims', '1.json'), '{}', 0);
    writeOld(join(folder, 'claims', '9000000x.json'), '{}', 0);
    const claim = await Claim.acquire(folder);
    expect(claim?.attempt).toBe(1_000_000);
    expect((await listAttempts(folder)).map(({ number }) => number)).toEqual([1, 2, 999_999, 1_000_000]);
    await expect(claim?.assertHeld()).resolves.toBeUndefined();
    expect(() => claim?.assertHeldNow()).not.toThrow();
    await claim?.release('stopped');
  });

  it('keeps leftovers that are younger than the lifetime of a claim', async () => {
    const claims = join(folder, 'claims');
    mkdirSync(claims, { recursive: true });
    writeOld(join(claims, 'draft.1'), '', 58);
    writeOld(join(claims, 'draft.2'), '', 62);
    await (await Claim.acquire(folder))?.release('stopped');
    expect(readdirSync(claims)).toEqual(['000001.json', 'draft.1']);
  });

  it('keeps the history of attempts', async () => {
    const first = await Claim.acquire(folder);
    await first?.noteCheckpoint(40);
    await first?.release('failed', 'out of luck');
    const attempts = await listAttempts(folder);
    expect(attempts).toMatchObject([
      { number: 1, checkpointStep: 40, outcome: 'failed', message: 'out of luck', isActive: false },
    ]);
  });
});

describe('a process', () => {
  it('is distinguished from a later process with the same number; unknown for other machines', () => {
    const own = thisProcess();
    expect(isAlive(own)).toBe(true);
    expect(isAlive({ ...own, host: `${own.host}.other` })).toBeUndefined();
    if (own.startTicks !== null) expect(isAlive({ ...own, startTicks: `${own.startTicks}0` })).toBe(false);
  });

  it('cannot be identified without its start time: heartbeats decide', () => {
    expect(isAlive({ ...thisProcess(), startTicks: null })).toBeUndefined();
    // As with `hidepid`: the process exists or is not ours, and its details cannot be read.
    vi.spyOn(process, 'kill').mockImplementation(() => {
      throw Object.assign(new Error('not permitted'), { code: 'EPERM' });
    });
    expect(isAlive({ ...thisProcess(), pid: 2 ** 30, startTicks: '1' })).toBeUndefined();
    vi.restoreAllMocks();
  });
});

describe('readRunState', () => {
  it('retries failures as often as allowed', async () => {
    expect((await readRunState(folder)).status).toBe('waiting');
    writeClaim(1, { owner: elsewhere, outcome: 'failed', message: 'first' });
    expect(await readRunState(folder, { retries: 1 })).toMatchObject({ status: 'interrupted', message: 'first' });
    writeClaim(2, { owner: elsewhere, outcome: 'failed', message: 'second' });
    expect(await readRunState(folder, { retries: 1 })).toMatchObject({ status: 'failed', message: 'second' });
    expect((await readRunState(folder, { retries: 2 })).status).toBe('interrupted');
  });

  it('does not count a lost machine as a failure, unless the run makes no progress', async () => {
    const owner = await deadOwner();
    for (let number = 1; number <= 4; number++) writeClaim(number, { owner });
    expect((await readRunState(folder, { losses: 4 })).status).toBe('interrupted');
    expect(await readRunState(folder, { losses: 3 })).toMatchObject({
      status: 'failed',
      message: expect.stringMatching(/killed 4 times/),
    });
    writeClaim(5, { owner, checkpointStep: 10 });
    expect((await readRunState(folder, { losses: 3 })).status).toBe('interrupted');
  });

  it('abandons a run after four losses, and forgets failures and losses on request', async () => {
    expect(await noteLoss(folder, 7, 'killed')).toBe(true);
    expect((await listAttempts(folder)).at(-1)).toMatchObject({ outcome: 'lost', message: 'killed' });
    const owner = await deadOwner();
    writeClaim(2, { owner });
    // Its claim exists, so it counts already.
    expect(await noteLoss(folder, owner.pid, 'killed')).toBe(true);
    expect(await readRunState(folder)).toMatchObject({ status: 'interrupted', losses: 2 });
    await noteLoss(folder, 7, 'killed');
    await noteLoss(folder, 7, 'killed');
    expect((await readRunState(folder)).status).toBe('failed');
    await forgetFailures(folder);
    const state = await readRunState(folder);
    expect(state).toMatchObject({ status: 'interrupted', losses: 0 });
    expect(state.attempts).toHaveLength(5);
    await noteFailure(folder, 'once more');
    expect(await readRunState(folder, { retries: 1 })).toMatchObject({ status: 'interrupted', message: 'once more' });
    expect((await readRunState(folder, { retries: 0 })).status).toBe('failed');
  });

  it('treats a run with a summary as finished', async () => {
    writeClaim(1, { owner: elsewhere, outcome: 'failed' });
    writeFileSync(join(folder, 'summary.json'), JSON.stringify(summaryOf('abc')));
    expect((await readRunState(folder, { retries: 0 })).status).toBe('finished');
  });
});
