import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { z } from 'zod';
import { codeOf } from './file-system.js';
import {
  absolutePath,
  createFolder,
  namesIn,
  removeFile,
  statIfThere,
  type WriteOptions,
  writeWhole,
} from './files.js';
import { isNewerVersion } from './newer-version.js';
import { readStateFile } from './state-file.js';
import { explainWriteError } from './write-errors.js';

/** Name of the file that marks a folder as localgrad's, and lists what localgrad may replace or remove in it. */
export const markerName = '.localgrad.json';

const markerSchema = z.object({
  format: z.literal('localgrad-folder'),
  formatVersion: z.literal(1),
  kind: z.string(),
  /** Paths below the folder; one that ends with `/` stands for everything in that subfolder. */
  files: z.array(z.string()),
});

const markerFormat = { what: 'the marker of a localgrad folder', schema: markerSchema, version: 1 };

type Marker = z.output<typeof markerSchema>;

/** The kind of a folder without a marker. */
export type Recognition = { readonly files: readonly string[] } | { readonly reason?: string };

export interface OwnedFolderOptions {
  /** Content of the folder, e.g. `run`, `sweep` or `report`. The kind of a folder never changes. */
  readonly kind: string;
  /** Flag that named the folder, for messages. Default `--output`. */
  readonly option?: string | undefined;
  /**
   * Recognizes folders of versions that wrote no marker: returns the files that such a version wrote, or why the folder
   * is not one of them. Default: only folders with a marker are owned.
   */
  readonly recognize?: ((folder: string, names: readonly string[]) => Promise<Recognition>) | undefined;
}

/** Files that file managers and file systems put into folders by themselves. */
const hiddenFiles =
  /^(\.DS_Store|\._.*|\.localized|Thumbs\.db|ehthumbs\.db|desktop\.ini|\.directory|\.nfs.*|\.fuse_hidden.*|\.Spotlight-V100|\.Trashes|\.Trash-.*|\.fseventsd|\.TemporaryItems|lost\+found|System Volume Information|\$RECYCLE\.BIN|\.snapshot)$/i;
const markerPartial = /^\.localgrad\.json\.[0-9a-f-]{36}\.partial$/;

/**
 * A folder that localgrad writes to. It must be new, empty, or marked as localgrad's; and in it, only files that localgrad
 * recorded as its own are ever replaced or removed.
 *
 * ```ts
 * const folder = await OwnedFolder.open('report', { kind: 'report' });
 * await folder.write('report.html', html);
 * ```
 */
export class OwnedFolder {
  /** Absolute. */
  readonly path: string;
  /** Path as given by the user. */
  readonly #shown: string;
  readonly #options: OwnedFolderOptions;
  #files: Set<string>;
  #isMarked: boolean;
  /** Whether the folder did not exist or was empty. */
  #isFree = false;

  private constructor(path: string, shown: string, options: OwnedFolderOptions, marker: Marker | undefined) {
    this.path = path;
    this.#shown = shown;
    this.#options = options;
    this.#files = new Set(marker?.files);
    this.#isMarked = marker !== undefined;
  }

  /**
   * Inspects a folder, and creates it with its marker.
   *
   * @param names files that it will contain, as for `record`
   * @throws LocalgradError as `inspect` and `record`
   */
  static async open(path: string, options: OwnedFolderOptions, names: readonly string[] = []): Promise<OwnedFolder> {
    const folder = await OwnedFolder.inspect(path, options);
    await folder.create(names);
    return folder;
  }

  /**
   * Checks that a folder may be written to, and writes nothing.
   *
   * @throws LocalgradError `invalid-option` if the path is empty or a file, or if the folder contains something else
   */
  static async inspect(path: string, options: OwnedFolderOptions): Promise<OwnedFolder> {
    const option = options.option ?? '--output';
    if (path.trim() === '') {
      throw new LocalgradError(
        'invalid-option',
        `${option} is empty: perhaps an unset variable. Name a folder, or omit ${option}.`,
        { option },
      );
    }
    const absolute = absolutePath(path);
    const names = await namesOf(absolute, path, option);
    const marker = names.includes(markerName) ? await readMarker(absolute) : undefined;
    if (marker !== undefined && marker.kind !== options.kind) {
      throw new LocalgradError(
        'invalid-option',
        `Folder '${path}' contains a localgrad ${marker.kind}, not a ${options.kind}. Choose another ${option}.`,
        { folder: path, kind: marker.kind },
      );
    }
    const folder = new OwnedFolder(absolute, path, options, marker);
    if (marker === undefined) await folder.#recognize(names, option);
    return folder;
  }

  /** Creates the folder and its marker, if they do not exist, and records names. @throws LocalgradError as `record` */
  async create(names: readonly string[] = []): Promise<void> {
    // If the folder was free, files that exist by now were written by a concurrent localgrad process.
    if (this.#isFree) for (const name of names) this.#files.add(name);
    await this.record(names);
  }

  /** Absolute path of a file in the folder. */
  file(name: string): string {
    return join(this.path, name);
  }

  /** Whether a name is recorded as localgrad's. */
  owns(name: string): boolean {
    if (this.#files.has(name)) return true;
    return [...this.#files].some((entry) => entry.endsWith('/') && name.startsWith(entry));
  }

  /** Names that are recorded as localgrad's. */
  get files(): readonly string[] {
    return [...this.#files];
  }

  /**
   * Records names as localgrad's before they are first written, e.g. `epochs.csv`, or `figures/` for a whole subfolder.
   *
   * @throws LocalgradError `invalid-option` if a file of that name exists that localgrad did not write
   */
  async record(names: readonly string[]): Promise<void> {
    if (this.#isMarked && names.every((name) => this.owns(name))) return;
    // Another process may have recorded and written them in the meantime.
    for (const name of (await readMarker(this.path))?.files ?? []) this.#files.add(name);
    const added = names.filter((name) => !this.owns(name));
    for (const name of added) {
      if (!(await this.#exists(name))) continue;
      throw new LocalgradError(
        'invalid-option',
        `'${join(this.#shown, name)}' was not written by localgrad and is not overwritten. Move it, or choose another ${this.#options.option ?? '--output'}.`,
        { file: this.file(name) },
      );
    }
    await createFolder(this.path);
    for (const name of added) this.#files.add(name);
    await this.#mark();
  }

  /** Records a name, and writes its file atomically. @throws LocalgradError as `record` and `writeWhole` */
  async write(name: string, content: string | Uint8Array, options: WriteOptions = {}): Promise<void> {
    await this.record([name]);
    await writeWhole(this.file(name), content, options);
  }

  /** Removes a file, if it exists and is recorded as localgrad's. */
  async remove(name: string): Promise<void> {
    if (this.owns(name)) await removeFile(this.file(name));
  }

  async #recognize(names: readonly string[], option: string): Promise<void> {
    const others = names.filter((name) => name !== markerName && !hiddenFiles.test(name) && !markerPartial.test(name));
    this.#isFree = others.length === 0;
    if (this.#isFree) return;
    const recognized: Recognition = (await this.#options.recognize?.(this.path, others)) ?? {};
    if ('files' in recognized) {
      this.#files = new Set(recognized.files);
      return;
    }
    const shown = others.sort().slice(0, 3).join("', '");
    const more = others.length > 3 ? ` and ${others.length - 3} more` : '';
    throw new LocalgradError(
      'invalid-option',
      `Folder '${this.#shown}' was not created by localgrad: it contains '${shown}'${more}. ${recognized.reason ?? ''}${recognized.reason === undefined ? '' : ' '}Choose a new or empty folder for ${option}.`,
      { folder: this.#shown, names: others },
    );
  }

  async #exists(name: string): Promise<boolean> {
    return (await statIfThere(this.file(name))) !== undefined;
  }

  async #mark(): Promise<void> {
    const marker: Marker = {
      format: 'localgrad-folder',
      formatVersion: 1,
      kind: this.#options.kind,
      files: [...this.#files].sort(),
    };
    await writeWhole(this.file(markerName), `${JSON.stringify(marker, null, 2)}\n`);
    this.#isMarked = true;
  }
}

/** Undefined if the marker is missing or damaged: the folder is then recognized by its other files. */
async function readMarker(folder: string): Promise<Marker | undefined> {
  try {
    return await readStateFile(join(folder, markerName), markerFormat);
  } catch (error) {
    if (codeOf(error) !== undefined || isNewerVersion(error)) throw error;
    return undefined;
  }
}

async function namesOf(absolute: string, shown: string, option: string): Promise<string[]> {
  try {
    return await namesIn(absolute);
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') {
      throw new LocalgradError(
        'invalid-option',
        `${option}: '${shown}' is a file or lies below one. Choose a folder.`,
        { folder: shown },
        { cause: error },
      );
    }
    throw explainWriteError(shown, error);
  }
}
