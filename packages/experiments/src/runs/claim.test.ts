import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Claim, listAttempts } from './claim.js';
import { isAlive, thisProcess } from './process-identity.js';
import { readRunState } from './run-state.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-claim-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function writeClaim(number: number, content: object, secondsOld = 0): void {
  mkdirSync(join(folder, 'claims'), { recursive: true });
  const file = join(folder, 'claims', `${String(number).padStart(6, '0')}.json`);
  writeFileSync(file, JSON.stringify({ startedAt: '2026-01-01T00:00:00Z', ...content }));
  const time = new Date(Date.now() - 1000 * secondsOld);
  utimesSync(file, time, time);
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
    await expect(claim?.assertHeld()).rejects.toThrow(/Attempt 2 .* taken over by attempt 3/);
    await claim?.release('stopped');
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

  it('takes a summary for the end', async () => {
    writeClaim(1, { owner: elsewhere, outcome: 'failed' });
    writeFileSync(join(folder, 'summary.json'), '{}');
    expect((await readRunState(folder, { retries: 0 })).status).toBe('finished');
  });
});
