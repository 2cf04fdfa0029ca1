import type { Terminal } from './terminal.js';

export interface Progress {
  /** Reports that one part has finished. */
  done(label: string): void;
  /** Clears the line. */
  end(): void;
}

/** Reports the progress of a measurement and the remaining time. */
export function createProgress(terminal: Terminal, parts: number, now: () => number = Date.now): Progress {
  const { stderr } = terminal;
  const start = now();
  let finished = 0;
  return {
    done(label) {
      finished++;
      const seconds = ((now() - start) / 1000 / finished) * (parts - finished);
      const text = `${label} (${finished}/${parts}${finished < parts ? `, about ${duration(seconds)} left` : ''})`;
      stderr.write(stderr.isTTY === true ? `\r\u001b[2K${text}` : `${text}\n`);
    },
    end() {
      if (stderr.isTTY === true) stderr.write('\r\u001b[2K');
    },
  };
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
