import type { ThreadStart } from './worker-thread.js';

/** A connection from one worker to another, or to itself where the main program writes. */
export interface Wire {
  /** Index of the worker that sends. */
  readonly from: number;
  /** Index of the worker that receives. */
  readonly to: number;
  /** Capacity of the ring at each end. */
  readonly bytes: number;
}

/** What a worker receives when it starts, with the index of a wire in place of its memory. */
export interface WiredStart extends Omit<ThreadStart, 'input' | 'output'> {
  readonly input: number;
  readonly output?: number;
}

/** Connects a worker to the memories of its wires. */
export function connectStart(
  { input, output, ...start }: WiredStart,
  memoryOf: (wire: number) => SharedArrayBuffer,
): ThreadStart {
  return { ...start, input: memoryOf(input), ...(output === undefined ? {} : { output: memoryOf(output) }) };
}
