import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type Plain = Record<string, unknown>;

/** Without what differs from one run of the same config to the next. */
export function timeless({ time: _, seconds: __, imagesPerSecond: ___, peakBytes: ____, ...rest }: Plain): Plain {
  return rest;
}

/** A run's `summary.json` without times, and without what interruptions leave in it. */
export function resultIn(runFolder: string): Plain {
  const summary = JSON.parse(readFileSync(join(runFolder, 'summary.json'), 'utf8')) as Plain & { epochs: Plain[] };
  const { totalSeconds: _, resumptions: __, epochs, ...rest } = timeless(summary) as typeof summary;
  return { ...rest, epochs: epochs.map(timeless) };
}
