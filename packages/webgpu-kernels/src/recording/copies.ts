import { at } from '@localgrad/core';
import { type Copy, type Dispatch, type Operation, type Place, placesOf, type StepTrace } from './trace.js';
import { roundUp } from './uniforms.js';

/** The operations of a step without the copies that are not needed. */
export interface LeanOperations {
  /** Those that were removed are undefined, so that indices stay. */
  readonly operations: readonly (Operation | undefined)[];
  /** Places of tensors that are computed where they would have been copied to. */
  readonly moved: ReadonlyMap<object, Place>;
}

/**
 * Removes copies: a tensor whose last use is to be copied into a flat buffer is computed there, and neighboring copies
 * become one.
 */
export function withoutCopies(trace: StepTrace): LeanOperations {
  const moved = new Map<object, Place>();
  const uses = usesOf(trace.operations);
  const fixed = new Set([...trace.after, ...trace.outputs.values()].map(({ root }) => root));
  const inside = new Map<object, Set<object>>();
  const operations: (Operation | undefined)[] = [...trace.operations];
  trace.operations.forEach((operation, index) => {
    if (operation.kind !== 'copy') return;
    const { from, to } = operation;
    const known = inside.get(to.root) ?? new Set([to.root]);
    const isTemporary = trace.created.has(from.root) && !trace.uploads.has(from.root) && !fixed.has(from.root);
    const isWhole = from.offset === 0 && from.bytes === trace.bytes.get(from.root) && !inside.has(from.root);
    const own = uses.get(from.root) ?? [];
    if (!isTemporary || !isWhole || own.at(-1) !== index || !trace.created.has(to.root)) return;
    const touching = own.slice(0, -1).map((use) => at(trace.operations, use, 'operation'));
    if (touching.length === 0 || touching.some((one) => one.kind === 'copy' || mixes(one, from.root, known))) return;
    // An earlier result that is copied in first would be overwritten only if the places overlap, which they never do.
    inside.set(to.root, known.add(from.root));
    moved.set(from.root, to);
    operations[index] = undefined;
  });
  return { operations: mergeCopies(operations, moved), moved };
}

/** Indices of the operations that use each buffer. */
export function usesOf(operations: readonly (Operation | undefined)[]): Map<object, number[]> {
  const uses = new Map<object, number[]>();
  operations.forEach((operation, index) => {
    if (operation === undefined) return;
    for (const { root } of placesOf(operation)) {
      const own = uses.get(root) ?? [];
      if (own.at(-1) !== index) own.push(index);
      uses.set(root, own);
    }
  });
  return uses;
}

/** WebGPU forbids a dispatch to read one part of a buffer and to write another. */
function mixes({ places, written }: Dispatch, root: object, buffer: ReadonlySet<object>): boolean {
  const isInside = (place: Place) => place.root === root || buffer.has(place.root);
  return places.slice(0, written).some(isInside) && places.slice(written).some(isInside);
}

/** Alignment of the parts of a flat buffer, in bytes: what lies between two parts is not used. */
const alignment = 256;

function mergeCopies(operations: readonly (Operation | undefined)[], moved: ReadonlyMap<object, Place>) {
  const merged: (Operation | undefined)[] = [...operations];
  let last: { readonly index: number; readonly copy: Copy } | undefined;
  operations.forEach((operation, index) => {
    if (operation === undefined) return;
    if (operation.kind !== 'copy' || moved.has(operation.from.root)) {
      last = undefined;
      return;
    }
    const joined = last === undefined ? undefined : join(last.copy, operation);
    if (last !== undefined && joined !== undefined) {
      merged[index] = undefined;
      last = { index: last.index, copy: joined };
      merged[last.index] = joined;
    } else {
      last = { index, copy: operation };
    }
  });
  return merged;
}

function join(first: Copy, second: Copy): Copy | undefined {
  const step = roundUp(first.from.bytes, alignment);
  const follows = (one: Place, other: Place) => one.root === other.root && other.offset === one.offset + step;
  if (!follows(first.from, second.from) || !follows(first.to, second.to)) return undefined;
  const bytes = step + second.from.bytes;
  return { kind: 'copy', from: { ...first.from, bytes }, to: { ...first.to, bytes } };
}
