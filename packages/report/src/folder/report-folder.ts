import { readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { readWholeFile } from '@localgrad/core/folders';
import { writeAtomically } from './atomic-file.js';
import { contentHash, readMarker, reportMarkerName, type WrittenFiles, writeMarker } from './marker.js';

/** Files that operating systems create in folders. */
const systemFiles = /^(\.DS_Store|\._.*|Thumbs\.db|desktop\.ini|\.directory|\.nfs.*)$/i;

/**
 * A folder that a report is written into. It must be new, empty, or marked as a report; only files that localgrad recorded
 * in the marker, and that did not change since, are replaced or removed.
 */
export class ReportFolder {
  /** Absolute path. */
  readonly path: string;
  readonly #shown: string;
  #written: WrittenFiles;

  private constructor(shown: string, written: WrittenFiles) {
    this.path = resolve(shown);
    this.#shown = shown;
    this.#written = written;
  }

  /** Checks that a report may be written into the folder; writes nothing. @throws LocalgradError `invalid-option` */
  static async inspect(path: string): Promise<ReportFolder> {
    if (path.trim() === '') {
      throw new LocalgradError(
        'invalid-option',
        '--output is empty: perhaps an unset variable. Name a folder, or omit --output.',
      );
    }
    const names = (await namesIn(path)).filter((name) => !systemFiles.test(name) && !name.endsWith('.partial'));
    const written = names.includes(reportMarkerName) ? await readMarker(resolve(path)) : undefined;
    if (written === undefined && names.length > 0) throw foreignFolder(path, names);
    return new ReportFolder(path, written ?? new Map());
  }

  /**
   * Makes `files` the content of the report: writes them, and removes files of an earlier report.
   *
   * @param files contents by path below the folder
   * @throws LocalgradError `invalid-option`, before anything is written, if a file was changed or is not localgrad's
   */
  async replace(files: ReadonlyMap<string, string | Uint8Array>): Promise<void> {
    const next = new Map([...files].map(([name, content]) => [name, [contentHash(content)]]));
    const changed: string[] = [];
    const stale: string[] = [];
    for (const name of new Set([...files.keys(), ...this.#written.keys()])) {
      const hash = await this.#hashOf(name);
      const isKnown = hash === undefined || this.#written.get(name)?.includes(hash) === true;
      const isSame = hash !== undefined && next.get(name)?.includes(hash) === true;
      if (!isKnown && !isSame && files.has(name)) changed.push(name);
      if (isKnown && !files.has(name)) stale.push(name);
    }
    if (changed.length > 0) throw changedFiles(this.#shown, changed);
    // An interruption from here on leaves every file with one of the recorded contents.
    const either = new Map(this.#written);
    for (const [name, hashes] of next) either.set(name, [...(either.get(name) ?? []), ...hashes]);
    await writeMarker(this.path, either);
    for (const [name, content] of files) await writeAtomically(join(this.path, name), content);
    for (const name of stale) await rm(join(this.path, name), { force: true });
    await writeMarker(this.path, next);
    this.#written = next;
  }

  /** Reads a file; undefined if it does not exist. */
  async #hashOf(name: string): Promise<string | undefined> {
    try {
      return contentHash(await readWholeFile(join(this.path, name)));
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return undefined;
      // A folder or an unreadable file in its place is not ours.
      return '';
    }
  }
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(resolve(path));
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return [];
    const shown = path.length <= 120 ? path : `${path.slice(0, 80)}…${path.slice(-30)}`;
    const reasons: Readonly<Record<string, string>> = {
      ENOTDIR: 'is a file or lies below one',
      ENAMETOOLONG: 'is too long for the file system',
      EACCES: 'cannot be read (permission denied)',
    };
    const message = `--output: '${shown}' ${reasons[code] ?? `cannot be read (${code})`}. Choose another folder.`;
    throw new LocalgradError('invalid-option', message, { folder: path }, { cause: error });
  }
}

function foreignFolder(path: string, names: readonly string[]): LocalgradError {
  const shown = [...names].sort().slice(0, 3).join("', '");
  const more = names.length > 3 ? ` and ${names.length - 3} more` : '';
  return new LocalgradError(
    'invalid-option',
    `Folder '${path}' contains '${shown}'${more} and is not marked as a localgrad report. Choose a new or empty folder for --output.`,
    { folder: path, names },
  );
}

function changedFiles(folder: string, names: readonly string[]): LocalgradError {
  const shown = names.map((name) => `'${join(folder, name)}'`).join(', ');
  return new LocalgradError(
    'invalid-option',
    `${shown} changed after localgrad wrote ${names.length === 1 ? 'it' : 'them'}, or ${names.length === 1 ? 'is' : 'are'} not localgrad's; nothing was written. Move or delete ${names.length === 1 ? 'it' : 'them'}, or choose another --output.`,
    { folder, names },
  );
}

function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'unknown error';
}
