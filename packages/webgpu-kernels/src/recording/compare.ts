import { at } from '@localgrad/core';
import type { Operation, Place, StepTrace, Upload } from './trace.js';

/** Where a named number is found in the operations of a step. */
export interface NumberLink {
  readonly name: string;
  /** Index of the operation, and byte offset in its uniforms; or index of the uploaded tensor that consists of it. */
  readonly target: { readonly operation: number; readonly offset: number } | { readonly upload: number };
}

export interface Comparison {
  /** The first difference; undefined if the second step repeats the first. */
  readonly difference: string | undefined;
  readonly links: readonly NumberLink[];
}

/**
 * Compares two consecutive steps. They repeat each other if they differ only in data that a replay takes from elsewhere:
 * inputs, state, computed tensors, the numbers of updates, and named numbers.
 */
export function compareTraces(first: StepTrace, second: StepTrace): Comparison {
  const comparer = new Comparer(first, second);
  const difference = comparer.compare();
  return { difference, links: comparer.links };
}

class Comparer {
  readonly links: NumberLink[] = [];
  readonly #first: StepTrace;
  readonly #second: StepTrace;
  readonly #partners = new Map<object, object>();
  readonly #owners = new Map<object, object>();

  constructor(first: StepTrace, second: StepTrace) {
    this.#first = first;
    this.#second = second;
  }

  compare(): string | undefined {
    const [a, b] = [this.#first, this.#second];
    const count = a.operations.length;
    if (count !== b.operations.length) return `it ran ${count} operations, then ${b.operations.length}`;
    const isPaired = this.#pairAll(a.before, b.before) && this.#pairAll([...a.inputs.values()], [...b.inputs.values()]);
    if (!isPaired) return 'its state is not yet in its final buffers';
    const changing = changingOffsets(a);
    for (let index = 0; index < count; index++) {
      const [one, other] = [at(a.operations, index, 'operation'), at(b.operations, index, 'operation')];
      const difference = this.#compareOperations(one, other, index, changing.get(index));
      if (difference !== undefined) return `its operation ${index} ${difference}`;
    }
    const isSameEnd =
      this.#pairAll(a.after, b.after) && this.#pairAll([...a.outputs.values()], [...b.outputs.values()]);
    return isSameEnd ? this.#compareUploads() : 'its state or results are stored differently in each step';
  }

  #pairAll(places: readonly Place[], others: readonly Place[]): boolean {
    return (
      places.length === others.length && places.every((place, index) => this.#pair(place, at(others, index, 'place')))
    );
  }

  /** Pairs the buffers of equal roles. Persistent tensors that are not state have to be the same. */
  #pair(place: Place, other: Place): boolean {
    if (place.offset !== other.offset || place.bytes !== other.bytes) return false;
    const [partner, owner] = [this.#partners.get(place.root), this.#owners.get(other.root)];
    if (partner !== undefined || owner !== undefined) return partner === other.root && owner === place.root;
    this.#partners.set(place.root, other.root);
    this.#owners.set(other.root, place.root);
    return this.#first.bytes.get(place.root) === this.#second.bytes.get(other.root);
  }

  #compareOperations(
    one: Operation,
    other: Operation,
    index: number,
    changing: ReadonlySet<number> | undefined,
  ): string | undefined {
    if (one.kind === 'copy' || other.kind === 'copy') {
      if (one.kind !== 'copy' || other.kind !== 'copy') return 'is another';
      return this.#pair(one.from, other.from) && this.#pair(one.to, other.to) ? undefined : 'copies other tensors';
    }
    const isSame = one.key === other.key && one.pipeline === other.pipeline && one.written === other.written;
    if (!isSame || one.workgroups.some((count, axis) => count !== other.workgroups[axis])) {
      return `is '${one.key}', then '${other.key}'`;
    }
    if (!this.#isPersistentSame(one.places, other.places)) return `('${one.key}') has other operands in each step`;
    if (!this.#pairAll(one.places, other.places)) return `('${one.key}') has other operands in each step`;
    return this.#compareUniforms(one.uniforms.bytes, other.uniforms.bytes, index, changing)
      ? undefined
      : `('${one.key}') has other numbers in each step`;
  }

  /** A persistent tensor that is neither state nor input is a constant, and has to stay the same one. */
  #isPersistentSame(places: readonly Place[], others: readonly Place[]): boolean {
    return places.every((place, index) => {
      const other = at(others, index, 'place');
      if (this.#partners.has(place.root) || this.#first.created.has(place.root)) return true;
      return place.root === other.root;
    });
  }

  #compareUniforms(
    bytes: ArrayBuffer,
    others: ArrayBuffer,
    operation: number,
    changing: ReadonlySet<number> | undefined,
  ): boolean {
    if (bytes.byteLength !== others.byteLength) return false;
    const [words, otherWords] = [new Uint32Array(bytes), new Uint32Array(others)];
    const [numbers, otherNumbers] = [new Float32Array(bytes), new Float32Array(others)];
    return words.every((word, index) => {
      if (word === otherWords[index] || changing?.has(4 * index) === true) return true;
      const name = this.#nameOf(at(numbers, index, 'number'), at(otherNumbers, index, 'number'));
      if (name !== undefined) this.links.push({ name, target: { operation, offset: 4 * index } });
      return name !== undefined;
    });
  }

  #compareUploads(): string | undefined {
    const { uploads } = this.#first;
    if (uploads.size !== this.#second.uploads.size) return 'it uploads other tensors in each step';
    for (const [index, [root, upload]] of [...uploads].entries()) {
      const partner = this.#partners.get(root);
      const other = partner === undefined ? undefined : this.#second.uploads.get(partner);
      if (partner === undefined && upload.compute === undefined) continue;
      if (other === undefined || !this.#isSameUpload(index, upload, other)) {
        return `it uploads a tensor of ${upload.values.length} values that differ between steps`;
      }
    }
    return undefined;
  }

  #isSameUpload(index: number, { values, compute }: Upload, other: Upload): boolean {
    if ((compute === undefined) !== (other.compute === undefined)) return false;
    if (compute !== undefined || values.every((value, place) => Object.is(value, other.values[place]))) return true;
    const [value, otherValue] = [at(values, 0, 'value'), at(other.values, 0, 'value')];
    const isConstant = values.every((one) => one === value) && other.values.every((one) => one === otherValue);
    const name = isConstant ? this.#nameOf(value, otherValue) : undefined;
    if (name !== undefined) this.links.push({ name, target: { upload: index } });
    return name !== undefined;
  }

  /** The named number that had these values in the two steps. */
  #nameOf(value: number, other: number): string | undefined {
    const { numbers } = this.#second;
    return Object.entries(this.#first.numbers).find(([name, number]) => {
      const next = numbers[name];
      return next !== undefined && Math.fround(number) === value && Math.fround(next) === other;
    })?.[0];
  }
}

/** Byte offsets, by operation, of the numbers that updates take anew in each step. */
function changingOffsets({ updates }: StepTrace): Map<number, Set<number>> {
  return new Map(updates.flat().map(({ operation, numbers }) => [operation, new Set(numbers.values())] as const));
}

/** The links of both lists. */
export function mergeLinks(links: readonly NumberLink[], others: readonly NumberLink[]): NumberLink[] {
  const keyOf = ({ target }: NumberLink) =>
    'upload' in target ? `${target.upload}` : `${target.operation} ${target.offset}`;
  return [...new Map([...links, ...others].map((link) => [keyOf(link), link])).values()];
}
