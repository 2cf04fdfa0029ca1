import type { Observer } from '../events.js';

/**
 * Writes events as JSON lines; `step-end` events only if they contain losses. Every line is an object with `type` and
 * `time` (seconds since the start of the run).
 *
 * @param write receives a line including its newline
 */
export function metricsWriter(write: (line: string) => void): Observer {
  let startedAt = performance.now();
  return {
    observe(event) {
      if (event.type === 'run-start') startedAt = performance.now();
      if (event.type === 'step-end' && event.losses === undefined) return;
      const time = Math.round(performance.now() - startedAt) / 1000;
      const { type, ...rest } = event;
      write(`${JSON.stringify({ type, time, ...rest })}\n`);
    },
  };
}
