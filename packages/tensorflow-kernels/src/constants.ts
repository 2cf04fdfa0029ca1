import type { Handle, NativeBinding } from './native-backend.js';

/** Learning rates change with each step: constants that were not used for long are released. */
const most = 512;

/** Small constant inputs of operations, uploaded once. */
export class Constants {
  readonly #binding: NativeBinding;
  /** In the order of their last use. */
  readonly #handles = new Map<string, Handle>();

  constructor(binding: NativeBinding) {
    this.#binding = binding;
  }

  scalar(value: number): Handle {
    return this.#constant(`${value}`, () =>
      this.#binding.createTensor([], this.#binding.TF_FLOAT, Float32Array.of(value)),
    );
  }

  /** A list of integers, such as a shape. */
  integers(values: readonly number[]): Handle {
    return this.#constant(`[${values}]`, () =>
      this.#binding.createTensor([values.length], this.#binding.TF_INT32, Int32Array.from(values)),
    );
  }

  /** A vector without elements. */
  empty(): Handle {
    return this.#constant('empty', () => this.#binding.createTensor([0], this.#binding.TF_FLOAT, new Float32Array(0)));
  }

  dispose(): void {
    for (const handle of this.#handles.values()) this.#binding.deleteTensor(handle);
    this.#handles.clear();
  }

  #constant(key: string, create: () => Handle): Handle {
    const handle = this.#handles.get(key) ?? create();
    this.#handles.delete(key);
    this.#handles.set(key, handle);
    const [oldest] = this.#handles;
    if (oldest !== undefined && this.#handles.size > most) {
      this.#handles.delete(oldest[0]);
      this.#binding.deleteTensor(oldest[1]);
    }
    return handle;
  }
}
