import { open, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { LocalgradError } from '../errors.js';
import { readWholeFile } from '../folders/read-whole-file.js';

const heartbeat = 5_000;
/** Milliseconds without a heartbeat after which a lock is abandoned. */
const abandonedAfter = 60_000;

/**
 * Runs `work` while this process alone holds the lock file. A lock of a process that no longer runs is taken over.
 *
 * @throws LocalgradError `misuse` if another process holds it
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  await acquire(path);
  const timer = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), heartbeat);
  timer.unref();
  try {
    return await work();
  } finally {
    clearInterval(timer);
    await rm(path, { force: true });
  }
}

async function acquire(path: string): Promise<void> {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const file = await open(path, 'wx');
      try {
        await file.writeFile(JSON.stringify({ pid: process.pid, host: hostname() }));
        return;
      } catch (error) {
        // E.g. on a full disk. A lock without an owner would make the next call wait.
        await rm(path, { force: true });
        throw error;
      } finally {
        await file.close();
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (await isHeld(path)) break;
      await rm(path, { force: true });
    }
  }
  throw new LocalgradError(
    'misuse',
    `Another process is downloading: it holds ${path}. Wait for it, or delete the file if no such process runs.`,
    { path },
  );
}

async function isHeld(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return false;
  // A time in the future does not count either: a live owner would have corrected it.
  if (Math.abs(Date.now() - found.mtimeMs) > abandonedAfter) return false;
  try {
    const { pid, host } = JSON.parse((await readWholeFile(path)).toString('utf8'));
    if (host !== hostname() || typeof pid !== 'number') return true;
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // No such process. A recent file may belong to an owner that is still writing it.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
