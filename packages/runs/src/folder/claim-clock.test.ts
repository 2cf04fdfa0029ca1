import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { Claim } from './claim.js';
import { fileSystem } from './file-system.js';

let folder: string;
let post: MockInstance<Worker['postMessage']>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-claim-clock-'));
  // Without a heartbeat thread, and with a clock that moves only on request.
  post = vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(() => {});
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

const fileOf = (number: number) => join(folder, 'claims', `${String(number).padStart(6, '0')}.json`);
const writeClaims = (...numbers: number[]) => {
  for (const number of numbers) writeFileSync(fileOf(number), '{}');
};

async function acquired(): Promise<Claim> {
  return (await Claim.acquire(folder)) ?? expect.fail('not acquired');
}

/** Memory that a started claim shares with its thread. */
function sharedMemory(): { shared: Float64Array; fields: Record<'highest' | 'lastSign' | 'ticks', number> } {
  return post.mock.lastCall?.[0] ?? expect.fail('no message');
}

/** Waits for file operations in the background. */
async function until(condition: () => boolean): Promise<void> {
  for (let count = 0; count < 2000 && !condition(); count++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
}

describe('Claim', () => {
  it('starts its heartbeat thread after 5 s, and stops it on release', async () => {
    const claim = await acquired();
    vi.advanceTimersByTime(4999);
    expect(post).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(post).toHaveBeenCalledTimes(1);
    expect(post).toHaveBeenCalledWith(expect.objectContaining({ file: fileOf(1), number: 1, seconds: 5 }));
    await claim.release('stopped');
    expect(vi.getTimerCount()).toBe(0);
    expect(post).toHaveBeenCalledTimes(2);
    expect(Object.keys(post.mock.calls[1]?.[0])).toEqual(['id']);
  });

  it('does not keep the process alive', async () => {
    vi.useRealTimers();
    const timers = vi.spyOn(globalThis, 'setInterval');
    const claim = await acquired();
    const [timer] = timers.mock.results.map(({ value }) => value as NodeJS.Timeout);
    expect(timer?.hasRef()).toBe(false);
    await claim.release('stopped');
  });

  it('sends a heartbeat itself once the thread has missed two, which changes only the time of the file', async () => {
    const claim = await acquired();
    const begin = Date.now();
    const content = readFileSync(fileOf(1), 'utf8');
    const old = new Date(begin - 90_000);
    utimesSync(fileOf(1), old, old);
    const open = vi.spyOn(fileSystem, 'open');
    const close = vi.spyOn(fileSystem, 'close');
    // Claims that earlier tests of the process left behind see the same clock.
    const own = () => open.mock.calls.flatMap(([file], call) => (file === fileOf(1) ? [call] : []));
    const tickAt = (time: number) => {
      vi.setSystemTime(time - 5000);
      vi.advanceTimersByTime(5000);
    };
    tickAt(begin + 10_000);
    expect(own()).toEqual([]);
    const { shared, fields } = sharedMemory();
    tickAt(begin + 10_001);
    expect(own()).toHaveLength(1);
    await until(() => shared[fields.lastSign] === begin + 10_001);
    expect(close).toHaveBeenCalledWith(await open.mock.results[own()[0] ?? 0]?.value);
    expect(statSync(fileOf(1)).mtimeMs).toBeGreaterThan(begin - 30_000);
    expect(readFileSync(fileOf(1), 'utf8')).toBe(content);
    // This heartbeat counts.
    tickAt(begin + 20_001);
    expect(own()).toHaveLength(1);
    await claim.release('stopped');
  });

  it('detects with its own heartbeat that it was taken over, and stops', async () => {
    const claim = await acquired();
    writeClaims(2, 3, 4);
    vi.advanceTimersByTime(15_000);
    await until(() => claim.isTakenOver);
    expect(vi.getTimerCount()).toBe(0);
    expect(Object.keys(post.mock.lastCall?.[0])).toEqual(['id']);
    expect(() => claim.assertHeldSync()).toThrow(/taken over by attempt 4/);
    await claim.release('stopped');
  });

  it('learns from the heartbeat thread that it was taken over', async () => {
    const claim = await acquired();
    claim.assertHeldSync();
    const { shared, fields } = sharedMemory();
    expect(claim.isTakenOver).toBe(false);
    shared[fields.highest] = 2;
    expect(claim.isTakenOver).toBe(true);
    await claim.release('stopped');
  });

  it('reads the folder once the last heartbeat is half as old as a stale one', async () => {
    const claim = await acquired();
    const begin = Date.now();
    writeClaims(2);
    const read = vi.spyOn(fileSystem, 'readdirSync');
    vi.setSystemTime(begin + 30_000);
    claim.assertHeldSync();
    expect(read).not.toHaveBeenCalled();
    vi.setSystemTime(begin + 30_001);
    expect(() => claim.assertHeldSync()).toThrow(/Attempt 1 .* taken over by attempt 2/);
    expect(read).toHaveBeenCalledTimes(1);
    await claim.release('stopped');
  });

  it('counts its intervals, from which the thread sees that the main thread runs', async () => {
    const claim = await acquired();
    for (const count of [1, 2, 3]) {
      vi.advanceTimersByTime(5000);
      const { shared, fields } = sharedMemory();
      expect(shared[fields.ticks]).toBe(count);
    }
    await claim.release('stopped');
  });

  it('lives longer once four of its longest steps take a minute', async () => {
    const claim = await acquired();
    const begin = Date.now();
    const lifetimeAfter = async (time: number): Promise<unknown> => {
      vi.setSystemTime(begin + time);
      claim.assertHeldSync();
      await claim.noteCheckpoint(1);
      return JSON.parse(readFileSync(fileOf(1), 'utf8')).lifetimeSeconds;
    };
    expect(await lifetimeAfter(14_750)).toBeUndefined();
    expect(await lifetimeAfter(14_750 + 15_000)).toBe(60);
    await claim.release('stopped');
  });

  it('is checked at once before an event is written', async () => {
    const claim = await acquired();
    expect(() => claim.assertHeldNow()).not.toThrow();
    writeClaims(2, 3, 4);
    expect(() => claim.assertHeldNow()).toThrow(/Attempt 1 .* taken over by attempt 4/);
    expect(vi.getTimerCount()).toBe(0);
    await claim.release('stopped');
  });
});
