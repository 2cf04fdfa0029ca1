import { get, LocalgradError, type Targets } from '@localgrad/core';
import type { Batch } from '@localgrad/engine';
import * as tf from '@tensorflow/tfjs';

/** Outputs of modules in the slots of their buffers, each as its micro-batches. Owns the tensors. */
export class StoredBatches {
  readonly #slots = new Map<string, Batch[]>();

  /** The micro-batches in a slot; borrowed. */
  get(module: number, slot: number): readonly Batch[] {
    return get(this.#slots, keyOf(module, slot), 'stored batch');
  }

  /** Replaces the content of a slot. Takes ownership. */
  set(module: number, slot: number, batches: readonly Batch[]): void {
    const key = keyOf(module, slot);
    disposeAll(this.#slots.get(key) ?? []);
    this.#slots.set(key, [...batches]);
  }

  /** Tensors by name; borrowed. */
  tensors(): Map<string, tf.Tensor> {
    return new Map(
      [...this.#slots].flatMap(([key, batches]) =>
        batches.flatMap(({ images, targets }, part): [string, tf.Tensor][] => [
          [`${key}/${part}/output`, images],
          ...entriesOf(targets).map(([name, target]): [string, tf.Tensor] => [
            `${key}/${part}/targets/${name}`,
            target,
          ]),
        ]),
      ),
    );
  }

  /** Replaces all slots. Takes ownership of the tensors. @throws LocalgradError `invalid-data` */
  load(tensors: ReadonlyMap<string, tf.Tensor>): void {
    this.dispose();
    for (const [name, output] of tensors) {
      const [, key, part] = /^(\d+\/\d+)\/(\d+)\/output$/.exec(name) ?? [];
      if (key === undefined || part === undefined) continue;
      const prefix = `${key}/${part}/targets/`;
      const targets = [...tensors].filter(([other]) => other.startsWith(prefix));
      const batches = this.#slots.get(key) ?? [];
      batches[Number(part)] = {
        images: requireMaps(output, name),
        targets: Object.fromEntries(targets.map(([other, target]) => [other.slice(prefix.length), target])),
      };
      this.#slots.set(key, batches);
    }
  }

  dispose(): void {
    for (const batches of this.#slots.values()) disposeAll(batches);
    this.#slots.clear();
  }
}

/** A copy of a module's output and of some targets, which shares their memory. */
export function storedBatch(output: tf.Tensor4D, targets: Targets, names: readonly string[]): Batch {
  const kept = entriesOf(targets).filter(([name]) => names.includes(name));
  const copies = kept.map(([name, target]): [string, tf.Tensor] => [name, tf.keep(target.clone())]);
  return { images: tf.keep(output.clone()), targets: Object.fromEntries(copies) };
}

function keyOf(module: number, slot: number): string {
  return `${module}/${slot}`;
}

function entriesOf(targets: Targets): [string, tf.Tensor][] {
  return Object.entries(targets).flatMap(([name, target]): [string, tf.Tensor][] =>
    target === undefined ? [] : [[name, target]],
  );
}

function disposeAll(batches: readonly Batch[]): void {
  for (const { images, targets } of batches) tf.dispose([images, ...entriesOf(targets).map(([, target]) => target)]);
}

function requireMaps(tensor: tf.Tensor, name: string): tf.Tensor4D {
  if (is4D(tensor)) return tensor;
  throw new LocalgradError('invalid-data', `Tensor '${name}' of the checkpoint has ${tensor.rank} axes instead of 4.`);
}

function is4D(tensor: tf.Tensor): tensor is tf.Tensor4D {
  return tensor.rank === 4;
}
