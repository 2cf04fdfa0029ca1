import { metricsWriter, type Observer } from '@localgrad/train';
import { AppendedFile, wholeLineBytes } from './appended-file.js';

/** Events as JSON lines. */
export class MetricsFile extends AppendedFile {
  /** Describes missing bytes of those that a checkpoint resumes from; undefined if none are missing. */
  static lossIn(file: string, bytes: number): string | undefined {
    const whole = wholeLineBytes(file, bytes);
    if (whole === bytes) return undefined;
    return `it resumes from byte ${bytes} of '${file}', which has only ${whole} in complete lines up to there; events in between are lost`;
  }

  observer(): Observer {
    return metricsWriter((line) => this.append(line));
  }
}
