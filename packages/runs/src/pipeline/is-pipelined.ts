import type { RunConfig } from '../config/run-config.js';

/** Whether a run is divided among worker threads. */
export function isPipelined({ workers, placement }: Pick<RunConfig, 'workers' | 'placement'>): boolean {
  return workers > 1 || placement !== undefined;
}
