import { at, get } from '@localgrad/core';
import type { LeanOperations } from './copies.js';
import { type Place, placesOf, type StepTrace } from './trace.js';

/** Buffers for the temporary tensors of a step. */
export interface MemoryPlan {
  /** Bytes of each buffer, in descending order. */
  readonly slots: readonly number[];
  /** Index of the buffer of each temporary tensor. */
  readonly slotOf: ReadonlyMap<object, number>;
  /** Highest sum of the tensors that are live at once. */
  readonly peakBytes: number;
}

interface Lifetime {
  readonly root: object;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/**
 * Assigns buffers by liveness: the largest tensors first, each to the smallest buffer that is free throughout its life.
 * WebGPU forbids a dispatch to read and write one buffer, whatever the parts, so tensors that are live at once never share
 * one.
 *
 * @param lasting buffers that are needed after the step
 */
export function planMemory(trace: StepTrace, lean: LeanOperations, lasting: ReadonlySet<object>): MemoryPlan {
  const lifetimes = lifetimesOf(trace, lean, lasting);
  const slots: { readonly bytes: number; readonly users: Lifetime[] }[] = [];
  const slotOf = new Map<object, number>();
  for (const lifetime of [...lifetimes].sort((a, b) => b.bytes - a.bytes || a.first - b.first)) {
    // Slots are in descending order of size, so the last free one is the smallest.
    let index = slots.findLastIndex(({ users }) => users.every((user) => isApart(user, lifetime)));
    if (index < 0) index = slots.push({ bytes: lifetime.bytes, users: [] }) - 1;
    at(slots, index, 'slot').users.push(lifetime);
    slotOf.set(lifetime.root, index);
  }
  return { slots: slots.map(({ bytes }) => bytes), slotOf, peakBytes: peakOf(lifetimes) };
}

function isApart(one: Lifetime, other: Lifetime): boolean {
  return one.last < other.first || other.last < one.first;
}

function lifetimesOf(
  { created, uploads, bytes }: StepTrace,
  { operations, moved }: LeanOperations,
  lasting: ReadonlySet<object>,
): Lifetime[] {
  const found = new Map<object, { first: number; last: number }>();
  operations.forEach((operation, index) => {
    if (operation === undefined) return;
    for (const { root } of placesOf(operation)) {
      const owner = moved.get(root)?.root ?? root;
      if (!created.has(owner) || uploads.has(owner)) continue;
      const life = found.get(owner) ?? { first: index, last: index };
      life.last = index;
      found.set(owner, life);
    }
  });
  return [...found].map(([root, { first, last }]) => {
    return {
      root,
      bytes: get(bytes, root, 'buffer'),
      first,
      last: lasting.has(root) ? Number.POSITIVE_INFINITY : last,
    };
  });
}

function peakOf(lifetimes: readonly Lifetime[]): number {
  const changes = lifetimes.flatMap(({ first, last, bytes }) => [
    { at: first, bytes },
    { at: last + 1, bytes: -bytes },
  ]);
  let live = 0;
  let peak = 0;
  for (const { bytes } of changes.sort((a, b) => a.at - b.at || a.bytes - b.bytes)) {
    live += bytes;
    peak = Math.max(peak, live);
  }
  return peak;
}

/** Where a tensor is after copies have been removed. */
export function resolvePlace(place: Place, moved: ReadonlyMap<object, Place>): Place {
  const target = moved.get(place.root);
  return target === undefined ? place : { ...place, root: target.root, offset: target.offset + place.offset };
}
