import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { summaryOf } from '../run-summary.fixture.js';
import { listAttempts } from './attempts.js';
import { Claim } from './claim.js';
import { forgetFailures, noteFailure, noteLoss } from './notes.js';
import { isAlive, thisProcess } from './process-identity.js';
import { readRunState } from './run-state.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-claim-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

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
  it('is had by one of many', async () => {
    const claims = await Promise.all(Array.from({ length: 20 }, () => Claim.acquire(folder)));
    const held = claims.filter((claim) => claim !== undefined);
    expect(held).toHaveLength(1);
    expect(await Claim.acquire(folder)).toBeUndefined();
    await held[0]?.release('stopped');
    const next = await Claim.acquire(folder);
    expect(next?.attempt).toBe(2);
    await next?.release('finished');
  });

  it('is taken over at once from a process of this machine that is gone', async () => {
    writeClaim(1, { owner: await deadOwner() });
    expect((await readRunState(folder)).status).toBe('interrupted');
    const claim = await Claim.acquire(folder);
    expect(claim?.attempt).toBe(2);
    await claim?.release('stopped');
  });

  it('is taken over from another machine when it gave no sign of life for long', async () => {
    writeClaim(1, { owner: elsewhere }, 30);
    expect(await Claim.acquire(folder)).toBeUndefined();
    expect((await readRunState(folder)).status).toBe('running');
    writeClaim(1, { owner: elsewhere }, 90);
    const claim = await Claim.acquire(folder);
    expect(claim?.attempt).toBe(2);
    // Should the other have slept only: it finds out before it writes anything.
    writeClaim(3, { owner: elsewhere });
    expect(claim?.isTakenOver).toBe(false);
    await expect(claim?.assertHeld()).rejects.toThrow(/Attempt 2 .* taken over by attempt 3/);
    expect(claim?.isTakenOver).toBe(true);
    expect(() => claim?.assertHeldSync()).toThrow(/taken over by attempt 3/);
    await claim?.release('stopped');
  });

  it('gives signs of life, which the file server stamps', async () => {
    const claim = await Claim.acquire(folder, { heartbeatSeconds: 0.02 });
    const old = new Date(Date.now() - 90_000);
    utimesSync(fileOf(1), old, old);
    await vi.waitFor(() => expect(Date.now() - statSync(fileOf(1)).mtimeMs).toBeLessThan(30_000));
    expect(await listAttempts(folder)).toMatchObject([{ owner: thisProcess(), isActive: true }]);
    // A heartbeat notices by itself that it comes too late.
    writeClaim(2, { owner: elsewhere });
    await vi.waitFor(() => expect(claim?.isTakenOver).toBe(true));
    await claim?.release('stopped');
    expect((await listAttempts(folder))[0]).toMatchObject({ outcome: 'stopped' });
  });

  it('looks whether it is still held before it is too late, without waiting', async () => {
    const claim = await Claim.acquire(folder);
    writeClaim(2, { owner: elsewhere });
    // Too early for anybody to take over: the folder need not be looked at.
    expect(() => claim?.assertHeldSync()).not.toThrow();
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 31_000);
    expect(() => claim?.assertHeldSync()).toThrow(/Attempt 1 .* taken over by attempt 2/);
    vi.restoreAllMocks();
    await claim?.release('stopped');
  });

  it('takes what cannot be read, as after a power failure, for a lost attempt', async () => {
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

  it('sweeps away what killed processes left half written, and nothing that is in the making', async () => {
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

  it('is looked at by many at the same time', async () => {
    writeClaim(1, { owner: elsewhere });
    const states = await Promise.all(Array.from({ length: 30 }, () => readRunState(folder)));
    expect(new Set(states.map(({ status }) => status))).toEqual(new Set(['running']));
    expect(readdirSync(join(folder, 'claims'))).toEqual(['000001.json']);
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
  it('is told from a later one with its number, and nothing is said of other machines', () => {
    const own = thisProcess();
    expect(isAlive(own)).toBe(true);
    expect(isAlive({ ...own, host: `${own.host}.other` })).toBeUndefined();
    if (own.startTicks !== null) expect(isAlive({ ...own, startTicks: `${own.startTicks}0` })).toBe(false);
  });

  it('may be another one where the system does not tell its start: then signs of life count', () => {
    expect(isAlive({ ...thisProcess(), startTicks: null })).toBeUndefined();
    // As with `hidepid`: it is there, or not ours, and nothing can be read of it.
    vi.spyOn(process, 'kill').mockImplementation(() => {
      throw Object.assign(new Error('not permitted'), { code: 'EPERM' });
    });
    expect(isAlive({ ...thisProcess(), pid: 2 ** 30, startTicks: '1' })).toBeUndefined();
    vi.restoreAllMocks();
  });
});

describe('readRunState', () => {
  it('tries failures again, as often as is allowed', async () => {
    expect((await readRunState(folder)).status).toBe('waiting');
    writeClaim(1, { owner: elsewhere, outcome: 'failed', message: 'first' });
    expect(await readRunState(folder, { retries: 1 })).toMatchObject({ status: 'interrupted', message: 'first' });
    writeClaim(2, { owner: elsewhere, outcome: 'failed', message: 'second' });
    expect(await readRunState(folder, { retries: 1 })).toMatchObject({ status: 'failed', message: 'second' });
    expect((await readRunState(folder, { retries: 2 })).status).toBe('interrupted');
  });

  it('does not hold it against a run that its machine was lost, unless it never gets anywhere', async () => {
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

  it('gives a run up after four losses, and forgets failures and losses when it is told to', async () => {
    expect(await noteLoss(folder, 7, 'killed')).toBe(true);
    expect((await listAttempts(folder)).at(-1)).toMatchObject({ outcome: 'lost', message: 'killed' });
    const owner = await deadOwner();
    writeClaim(2, { owner });
    // Its claim is there: it counts already.
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

  it('takes a summary for the end', async () => {
    writeClaim(1, { owner: elsewhere, outcome: 'failed' });
    writeFileSync(join(folder, 'summary.json'), JSON.stringify(summaryOf('abc')));
    expect((await readRunState(folder, { retries: 0 })).status).toBe('finished');
  });
});
