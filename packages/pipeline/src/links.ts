import { at, bytesOf, type Span } from '@localgrad/core';
import type { CompiledPlan } from '@localgrad/engine';
import { crossingsOf, followedWeights } from './crossings.js';
import type { Placement } from './placement.js';

/** Weights that reach averages on another worker after each step. */
export interface WeightRoute {
  /** Index of the worker that owns the weights. */
  readonly from: number;
  /** Index of the worker whose averages follow them. */
  readonly to: number;
  /** Names of the weights. */
  readonly names: readonly string[];
  /** Most bytes of a message with these weights. */
  readonly messageBytes: number;
}

/** Most bytes of a message's description of itself, and of one tensor without its name. */
const headerBytes = 256;

/** The weights that cross between each pair of workers. */
export function weightRoutes(compiled: CompiledPlan, placement: Placement): WeightRoute[] {
  const workerOf = (module: number) => placement.findIndex(({ range }) => isWithin(module, range));
  const routes = new Map<string, { from: number; to: number; weights: Map<string, number> }>();
  for (const { module, live, liveModule, size } of followedWeights(compiled)) {
    const [from, to] = [workerOf(liveModule), workerOf(module)];
    if (from === to) continue;
    const route = routes.get(`${from} ${to}`) ?? { from, to, weights: new Map<string, number>() };
    routes.set(`${from} ${to}`, route);
    route.weights.set(live, size);
  }
  return [...routes.values()].map(({ from, to, weights }) => ({
    from,
    to,
    names: [...weights.keys()],
    messageBytes: [...weights].reduce(
      (sum, [name, size]) => sum + 4 * size + 4 * name.length + headerBytes,
      headerBytes,
    ),
  }));
}

/**
 * Capacity of the connection for gradients that cross backward into each worker from the next one; 0 where none does. Where they
 * arrive late, those of all steps between have room, so that their sender never waits.
 */
export function gradientBytes(compiled: CompiledPlan, placement: Placement, batchSize: number): number[] {
  const crossings = crossingsOf(compiled);
  return placement.map(({ range: [, last] }) => {
    const crossing = crossings.find(({ cut }) => cut === last + 1);
    if (crossing === undefined || crossing.cotangents === 0) return 0;
    const bytes = bytesOf(at(compiled.network.modules, last, 'module').outputShape, batchSize);
    const { cotangents, delay } = crossing;
    return delay === 0 ? bytes : (delay + 1) * cotangents * (bytes + headerBytes);
  });
}

export function isWithin(module: number, [first, last]: Span): boolean {
  return first <= module && module <= last;
}
