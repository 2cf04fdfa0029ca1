import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const prefix = 'localgrad-tests-';

/** All temporary folders of a run, of tests and of the programs that they start, are in one that is removed at the end. */
export default function setup(): () => void {
  // Vitest calls this for each project. Chromium needs a short path.
  if (basename(tmpdir()).startsWith(prefix)) return () => {};
  const folder = mkdtempSync(join(tmpdir(), prefix));
  const before = process.env.TMPDIR;
  process.env.TMPDIR = folder;
  return () => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    removeFolder(folder);
  };
}

/** A program that a test started may still write when the tests have ended: no test has failed because of it. */
function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  } catch (error) {
    console.warn(`The temporary folder of the tests was not removed: ${String(error)}`);
  }
}
