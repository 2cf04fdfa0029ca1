/** Files that readers find by name in a folder: one of them is replaced by the mutated one. */
export interface FolderCase {
  readonly name: string;
  readonly words?: readonly string[];
  /** The mutated file, below the folder. */
  readonly file: string;
  /** Its content before mutation; default: as `prepare` wrote it. */
  readonly inputs?: readonly Uint8Array[];
  prepare?(folder: string): Promise<void> | void;
  read(folder: string): unknown;
}
