import { readdirSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

export const claimsFolder = (runFolder: string) => join(runFolder, 'claims');

/** Name of a claim by its number. */
export const claimFile = (number: number) => `${String(number).padStart(6, '0')}.json`;

/** Numbers of the claims in a folder, lowest first. */
export async function claimNumbers(folder: string): Promise<number[]> {
  return numbersOf(await emptyWhereMissing(() => readdir(folder)));
}

/** The highest number in a folder, for those who cannot wait. */
export function highestClaimSync(folder: string): number {
  try {
    return numbersOf(readdirSync(folder)).at(-1) ?? 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

/**
 * Removes what killed processes left half written in a run's folder. Whatever is in the making is younger than the file
 * that is compared with, or not much older.
 */
export async function removeLeftovers(runFolder: string, newest: string, leastSecondsOlder: number): Promise<void> {
  const { mtimeMs } = await stat(newest);
  for (const folder of [runFolder, claimsFolder(runFolder)]) {
    for (const name of await emptyWhereMissing(() => readdir(folder))) {
      if (!/^(draft|clock)\.|\.partial$/.test(name)) continue;
      const file = join(folder, name);
      if (mtimeMs - (await stat(file)).mtimeMs >= 1000 * leastSecondsOlder) await rm(file, { force: true });
    }
  }
}

function numbersOf(files: readonly string[]): number[] {
  return files.flatMap((file) => (/^\d+\.json$/.test(file) ? [Number.parseInt(file, 10)] : [])).sort((a, b) => a - b);
}

async function emptyWhereMissing(list: () => Promise<string[]>): Promise<string[]> {
  try {
    return await list();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
