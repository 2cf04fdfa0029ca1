import { appendFileSync, existsSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { metricsWriter, type Observer } from '@localgrad/train';

/** Events as JSON lines. Every line is on its way to the disk before training goes on. */
export class MetricsFile {
  readonly #file: string;

  /**
   * @param bytes where the run goes on: what an interrupted attempt wrote after its last checkpoint is cut off. Undefined
   *   starts the file anew
   */
  constructor(file: string, bytes?: number) {
    this.#file = file;
    if (bytes === undefined || !existsSync(file)) writeFileSync(file, '');
    else if (statSync(file).size > bytes) truncateSync(file, bytes);
  }

  /** Bytes written, to be kept in a checkpoint. */
  get bytes(): number {
    return statSync(this.#file).size;
  }

  observer(): Observer {
    return metricsWriter((line) => appendFileSync(this.#file, line));
  }
}
