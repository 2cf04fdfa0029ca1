import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { readWholeFile } from '@localgrad/core/folders';
import { writeAtomically } from './atomic-file.js';

/** Name of the file that marks a folder as a report and lists the files that localgrad wrote into it. */
export const reportMarkerName = '.localgrad-report.json';

/** SHA-256 hashes of the contents that localgrad wrote, by path below the folder. */
export type WrittenFiles = ReadonlyMap<string, readonly string[]>;

export function contentHash(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

const formatVersion = 1;

/**
 * Returns undefined if the folder has no valid marker.
 *
 * @throws LocalgradError `invalid-data` for the marker of a newer version of localgrad
 */
export async function readMarker(folder: string): Promise<WrittenFiles | undefined> {
  let content: unknown;
  try {
    content = JSON.parse((await readWholeFile(join(folder, reportMarkerName))).toString('utf8'));
  } catch {
    return undefined;
  }
  if (!isObject(content) || content.format !== 'localgrad-report' || !isObject(content.files)) return undefined;
  rejectNewer(content.formatVersion, join(folder, reportMarkerName));
  const files = new Map<string, string[]>();
  for (const [name, hashes] of Object.entries(content.files)) {
    if (isInside(name) && Array.isArray(hashes)) files.set(name, hashes.map(String));
  }
  return files;
}

export async function writeMarker(folder: string, files: WrittenFiles): Promise<void> {
  const sorted = Object.fromEntries([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
  const content = { format: 'localgrad-report', formatVersion, files: sorted };
  await writeAtomically(join(folder, reportMarkerName), `${JSON.stringify(content, null, 2)}\n`);
}

function rejectNewer(version: unknown, file: string): void {
  if (typeof version !== 'number' || version <= formatVersion) return;
  throw new LocalgradError(
    'invalid-data',
    `'${file}' was written by a newer version of localgrad: it has format version ${version}, and this version reads up to ${formatVersion}. Update localgrad, or choose another --output.`,
    { file, formatVersion: version, highestFormatVersion: formatVersion },
  );
}

/** Rejects paths of an edited marker that lead out of the folder. */
function isInside(name: string): boolean {
  return name !== '' && name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
