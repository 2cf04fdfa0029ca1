import { at } from '@localgrad/core';
import type { StepTrace } from './trace.js';

/** Where the state of a step is between steps. */
export interface StateHomes {
  /** For each buffer that contains state before the step: the one that contains it afterwards. */
  readonly successors: ReadonlyMap<object, object>;
}

/**
 * Follows the state through a step. Most of it is updated in place; where a step creates new tensors instead, their
 * contents are copied back at its end, so that every step starts from the same buffers.
 *
 * @returns why that is impossible, or the homes
 */
export function findHomes({ before, after, bytes }: StepTrace): StateHomes | string {
  const successors = new Map<object, object>();
  const predecessors = new Map<object, object>();
  for (let index = 0; index < before.length; index++) {
    const [old, next] = [at(before, index, 'state'), at(after, index, 'state')];
    const isKnown = successors.has(old.root) || predecessors.has(next.root);
    const isSame = successors.get(old.root) === next.root && predecessors.get(next.root) === old.root;
    const fits = old.offset === next.offset && bytes.get(old.root) === bytes.get(next.root);
    if (!fits || (isKnown && !isSame)) return 'its state is distributed over other buffers after each step';
    successors.set(old.root, next.root);
    predecessors.set(next.root, old.root);
  }
  return { successors };
}

/** A copy of a whole buffer at the end of a step. */
export interface Move<Buffer> {
  readonly from: Buffer;
  readonly to: Buffer;
  readonly bytes: number;
}

/** Orders moves so that no buffer is overwritten before it has been read; undefined if they form a cycle. */
export function orderMoves<Buffer>(moves: readonly Move<Buffer>[]): Move<Buffer>[] | undefined {
  const ordered: Move<Buffer>[] = [];
  let waiting = [...moves];
  while (waiting.length > 0) {
    const sources = new Set(waiting.map(({ from }) => from));
    const free = waiting.filter(({ to, from }) => to === from || !sources.has(to));
    if (free.length === 0) return undefined;
    ordered.push(...free);
    waiting = waiting.filter((move) => !free.includes(move));
  }
  return ordered;
}
