import type { JsonValue } from '@localgrad/core';
import type { StepMemory } from '@localgrad/engine';
import * as tf from '@tensorflow/tfjs';

/** The memory of steps that run elsewhere, between two updates. */
export class StoredMemory implements StepMemory {
  #tensors: ReadonlyMap<string, tf.Tensor> = new Map();

  values(): JsonValue {
    return {};
  }

  tensors(): ReadonlyMap<string, tf.Tensor> {
    return this.#tensors;
  }

  load(_: JsonValue, tensors: ReadonlyMap<string, tf.Tensor>): void {
    this.dispose();
    for (const tensor of tensors.values()) tf.keep(tensor);
    this.#tensors = tensors;
  }

  dispose(): void {
    tf.dispose([...this.#tensors.values()]);
    this.#tensors = new Map();
  }
}
