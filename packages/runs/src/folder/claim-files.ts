import { join } from 'node:path';
import { codeOf, fileSystem } from './file-system.js';
import { namesIn, removeFile } from './files.js';
import { markerName } from './owned-folder.js';
import { everyRunFiles } from './run-folder.js';
import { explainReadError } from './write-errors.js';

export const claimsFolder = (runFolder: string) => join(runFolder, 'claims');

/** Name of a claim by its number. */
export const claimFile = (number: number) => `${String(number).padStart(6, '0')}.json`;

/** Numbers of the claims in a folder, lowest first. */
export async function claimNumbers(folder: string): Promise<number[]> {
  return numbersOf(await namesIn(folder));
}

/** The highest number in a folder; 0 if it has no claim. */
export async function highestClaim(folder: string): Promise<number> {
  return highestOf(await namesIn(folder));
}

/** `highestClaim`, without waiting. */
export function highestClaimSync(folder: string): number {
  try {
    return highestOf(fileSystem.readdirSync(folder));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 0;
    throw explainReadError(folder, error);
  }
}

/**
 * Removes half-written files of killed processes from a run folder. Files that are still being written are younger than
 * the reference file, or not much older.
 */
export async function removeLeftovers(runFolder: string, newest: string, leastSecondsOlder: number): Promise<void> {
  const { mtimeMs } = await fileSystem.stat(newest);
  const claims = claimsFolder(runFolder);
  for (const folder of [runFolder, claims]) {
    for (const name of await namesIn(folder)) {
      if (!isLeftover(name, folder === claims)) continue;
      const file = join(folder, name);
      if (mtimeMs - (await fileSystem.stat(file)).mtimeMs >= 1000 * leastSecondsOlder) await removeFile(file);
    }
  }
}

/** Only file names of localgrad: a `film.partial` in a run's folder belongs to the user. */
function isLeftover(name: string, isClaims: boolean): boolean {
  const [, base = ''] = /^(.+)\.[0-9a-f-]+\.partial$/.exec(name) ?? [];
  if (isClaims) return /^(draft|clock)\.[0-9a-f-]+$/.test(name) || isClaim(base);
  return base === markerName || everyRunFiles.includes(base);
}

/** Only names that localgrad writes: a `1.json` beside `000001.json` is no claim. */
function isClaim(name: string): boolean {
  return /^\d{6,}\.json$/.test(name) && claimFile(Number.parseInt(name, 10)) === name;
}

function numbersOf(names: readonly string[]): number[] {
  return names
    .filter(isClaim)
    .map((name) => Number.parseInt(name, 10))
    .sort((a, b) => a - b);
}

function highestOf(names: readonly string[]): number {
  return numbersOf(names).at(-1) ?? 0;
}
