import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { summaryOf } from '../run-summary.fixture.js';
import { listAttempts } from './attempts.js';
import { deadOwner, elsewhere, TemporaryClaims } from './claim.fixture.js';
import { forgetFailures, noteFailure, noteLoss } from './notes.js';
import { isAlive, thisProcess } from './process-identity.js';
import { readRunState } from './run-state.js';

const run = new TemporaryClaims();

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
    expect((await readRunState(run.folder)).status).toBe('waiting');
    run.writeClaim(1, { owner: elsewhere, outcome: 'failed', message: 'first' });
    expect(await readRunState(run.folder, { retries: 1 })).toMatchObject({
      status: 'interrupted',
      message: 'first',
    });
    run.writeClaim(2, { owner: elsewhere, outcome: 'failed', message: 'second' });
    expect(await readRunState(run.folder, { retries: 1 })).toMatchObject({ status: 'failed', message: 'second' });
    expect((await readRunState(run.folder, { retries: 2 })).status).toBe('interrupted');
  });

  it('does not count a lost machine as a failure, unless the run makes no progress', async () => {
    const owner = await deadOwner();
    for (let number = 1; number <= 4; number++) run.writeClaim(number, { owner });
    expect((await readRunState(run.folder, { losses: 4 })).status).toBe('interrupted');
    expect(await readRunState(run.folder, { losses: 3 })).toMatchObject({
      status: 'failed',
      message: expect.stringMatching(/killed 4 times/),
    });
    run.writeClaim(5, { owner, checkpointStep: 10 });
    expect((await readRunState(run.folder, { losses: 3 })).status).toBe('interrupted');
  });

  it('abandons a run after four losses, and forgets failures and losses on request', async () => {
    expect(await noteLoss(run.folder, 7, 'killed')).toBe(true);
    expect((await listAttempts(run.folder)).at(-1)).toMatchObject({ outcome: 'lost', message: 'killed' });
    const owner = await deadOwner();
    run.writeClaim(2, { owner });
    // Its claim exists, so it counts already.
    expect(await noteLoss(run.folder, owner.pid, 'killed')).toBe(true);
    expect(await readRunState(run.folder)).toMatchObject({ status: 'interrupted', losses: 2 });
    await noteLoss(run.folder, 7, 'killed');
    await noteLoss(run.folder, 7, 'killed');
    expect((await readRunState(run.folder)).status).toBe('failed');
    await forgetFailures(run.folder);
    const state = await readRunState(run.folder);
    expect(state).toMatchObject({ status: 'interrupted', losses: 0 });
    expect(state.attempts).toHaveLength(5);
    await noteFailure(run.folder, 'once more');
    expect(await readRunState(run.folder, { retries: 1 })).toMatchObject({
      status: 'interrupted',
      message: 'once more',
    });
    expect((await readRunState(run.folder, { retries: 0 })).status).toBe('failed');
  });

  it('treats a run with a summary as finished', async () => {
    run.writeClaim(1, { owner: elsewhere, outcome: 'failed' });
    writeFileSync(join(run.folder, 'summary.json'), JSON.stringify(summaryOf('abc')));
    expect((await readRunState(run.folder, { retries: 0 })).status).toBe('finished');
  });
});
