import type { WeightRoute } from './links.js';
import { type LinkEnds, mapEnds, type Wire, type WireEnds } from './wire.js';
import type { ThreadStart } from './worker-thread.js';

/** A worker before it is connected. */
export interface WorkerStart extends Omit<ThreadStart, 'ends'> {
  /** Capacity of the connection to this worker. */
  readonly inputBytes: number;
  /** Capacity of the connection for gradients from the next worker; 0 if none cross. */
  readonly gradientBytes: number;
}

/** A worker whose wires have indices, but no memories yet. */
export interface WiredStart extends Omit<ThreadStart, 'ends'> {
  readonly ends: WireEnds<number>;
}

/** A route of weights, and the capacity of its connection. */
export interface WeightChannel extends WeightRoute {
  readonly bytes: number;
}

/** All wires of a pipeline, and the workers that they connect. The first wire is from the main program. */
export interface Wiring {
  readonly wires: readonly Wire[];
  readonly starts: readonly WiredStart[];
}

/** Plans the wires between workers. @param channels for weights that averages of other workers follow */
export function wirePipeline(starts: readonly WorkerStart[], channels: readonly WeightChannel[]): Wiring {
  const wires: Wire[] = starts.map(({ inputBytes }, index) => {
    return { from: Math.max(0, index - 1), to: index, bytes: inputBytes };
  });
  const add = (wire: Wire) => wires.push(wire) - 1;
  const gradients = starts.map(({ gradientBytes }, index) =>
    gradientBytes === 0 ? undefined : add({ from: index + 1, to: index, bytes: gradientBytes }),
  );
  const weights = channels.map(({ from, to, names, bytes }) => ({ from, to, names, end: add({ from, to, bytes }) }));
  const linksOf = (worker: number): LinkEnds<number> => {
    const [gradientInput, gradientOutput] = [gradients[worker], gradients[worker - 1]];
    return {
      ...(gradientInput === undefined ? {} : { gradientInput }),
      ...(gradientOutput === undefined ? {} : { gradientOutput }),
      weightInputs: weights.filter(({ to }) => to === worker),
      weightOutputs: weights.filter(({ from }) => from === worker),
    };
  };
  return {
    wires,
    starts: starts.map(({ inputBytes: _, gradientBytes: __, ...start }, index) => {
      const output = index + 1 < starts.length ? { output: index + 1 } : {};
      return { ...start, ends: { input: index, ...output, links: linksOf(index) } };
    }),
  };
}

/** Gives a worker the memories of its wires. */
export function connectStart(
  { ends, ...start }: WiredStart,
  memoryOf: (wire: number) => SharedArrayBuffer,
): ThreadStart {
  return { ...start, ends: mapEnds(ends, memoryOf) };
}
