import {
  appendFileSync,
  closeSync,
  fstatSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { metricsWriter, type Observer } from '@localgrad/train';

/** Events as JSON lines. Every line is with the operating system before training goes on. */
export class MetricsFile {
  readonly #file: string;

  /**
   * @param bytes where the run goes on: what an interrupted attempt wrote after its last checkpoint is cut off, and so is
   *   a line that is not whole, where less than that is left. Undefined starts the file anew
   */
  constructor(file: string, bytes?: number) {
    this.#file = file;
    const kept = bytes === undefined ? 0 : wholeLineBytes(file, bytes);
    if (kept === 0) writeFileSync(file, '');
    else truncateSync(file, kept);
  }

  /** Says what is missing of the bytes that a checkpoint goes on from; undefined where nothing is. */
  static lossIn(file: string, bytes: number): string | undefined {
    const whole = wholeLineBytes(file, bytes);
    if (whole === bytes) return undefined;
    return `it goes on from byte ${bytes} of '${file}', which has ${whole} in whole lines up to there; events in between are lost`;
  }

  /** Bytes written, to be kept in a checkpoint. */
  get bytes(): number {
    return statSync(this.#file).size;
  }

  /** Waits until all lines have reached the disk: before a checkpoint says that they are there. */
  async sync(): Promise<void> {
    const handle = await open(this.#file, 'r+');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  observer(): Observer {
    return metricsWriter((line) => appendFileSync(this.#file, line));
  }
}

const newline = 10;
const chunkBytes = 65536;

/** Bytes of the whole lines among the first `limit` bytes; 0 where there is no file. A power loss can tear a line. */
function wholeLineBytes(file: string, limit: number): number {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
  try {
    let end = Math.min(limit, fstatSync(handle).size);
    while (end > 0) {
      const start = Math.max(0, end - chunkBytes);
      const chunk = Buffer.alloc(end - start);
      readSync(handle, chunk, 0, chunk.length, start);
      const at = chunk.lastIndexOf(newline);
      if (at >= 0) return start + at + 1;
      end = start;
    }
    return 0;
  } finally {
    closeSync(handle);
  }
}
