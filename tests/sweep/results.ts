import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type Plain = Record<string, unknown>;

/** Omits values that differ between runs of the same config. */
export function timeless({ time: _, seconds: __, imagesPerSecond: ___, peakBytes: ____, ...rest }: Plain): Plain {
  return rest;
}

/** A run's `summary.json` without times and values that depend on interruptions. */
export function resultIn(runFolder: string): Plain {
  const summary = JSON.parse(readFileSync(join(runFolder, 'summary.json'), 'utf8')) as Plain & { epochs: Plain[] };
  const { totalSeconds: _, resumptions: __, epochs, ...rest } = timeless(summary) as typeof summary;
  return { ...rest, epochs: epochs.map(timeless) };
}
