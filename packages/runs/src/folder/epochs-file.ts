import { csvWriter, splitCsvRecords } from '@localgrad/trackers';
import type { Observer } from '@localgrad/train';
import { AppendedFile } from './appended-file.js';
import { readIfThere } from './files.js';

/** A table with one row per epoch. Like the metrics, an attempt that was taken over cannot write to its successor's. */
export class EpochsFile extends AppendedFile {
  readonly #rows: number;

  private constructor(file: string, bytes: number, rows: number, beforeVisible: () => void) {
    super(file, bytes, beforeVisible);
    this.#rows = rows;
  }

  /**
   * @param epochsDone number of completed epochs when resuming: their rows are kept
   * @param beforeVisible called just before the file gets its name; may throw to prevent that
   */
  static async open(file: string, epochsDone: number, beforeVisible: () => void): Promise<EpochsFile> {
    const records = epochsDone === 0 ? [] : splitCsvRecords((await readIfThere(file)) ?? '').slice(0, epochsDone + 1);
    return new EpochsFile(file, Buffer.byteLength(records.join('')), Math.max(0, records.length - 1), beforeVisible);
  }

  observer(): Observer {
    return csvWriter((text) => this.append(text), { keepRows: this.#rows });
  }
}
