import { at } from '@localgrad/core';
import type { Handle, NativeBackend, NativeBinding, NativeValues } from './native-backend.js';

/** Learning rates change with each step: constants that were not used for long are released. */
const most = 512;
/** Number of values that are remembered: factors and small matrices, shapes and axes, but no batch of labels. */
const mostNumbers = 512;
const mostIntegers = 16;

type Numbers = Exclude<NativeValues, readonly string[]>;

/** The backend, whose binding is replaced. */
type BindingOwner = Pick<NativeBackend, 'binding'>;

interface Constant {
  readonly key: string;
  readonly handle: Handle;
  /** Tensors of the backend that share the handle. */
  users: number;
}

/**
 * Uploads small tensors once, and fills constant ones on the device: shapes, axes, factors and zeros, which TensorFlow.js
 * creates on the host in every step. Replaces the backend's binding.
 */
export class Constants {
  readonly #backend: BindingOwner;
  readonly #native: NativeBinding;
  /** In the order of their last use. */
  readonly #constants = new Map<string, Constant>();
  readonly #ofHandle = new Map<Handle, Constant>();
  #isDisposed = false;

  constructor(backend: BindingOwner) {
    const { binding } = backend;
    this.#backend = backend;
    this.#native = binding;
    const createTensor = (shape: readonly number[], type: number, values: NativeValues) =>
      this.#isDisposed ? binding.createTensor(shape, type, values) : this.#create(shape, type, values);
    const deleteTensor = (handle: Handle) => this.#delete(handle);
    // The functions of the binding cannot be replaced.
    backend.binding = Object.create(binding, {
      createTensor: { value: createTensor },
      deleteTensor: { value: deleteTensor },
    });
  }

  /** A number. The handle is valid until the next operation has started. */
  scalar(value: number): Handle {
    return this.#constant([], this.#native.TF_FLOAT, Float32Array.of(value)).handle;
  }

  /** A list of integers, such as a shape. */
  integers(values: readonly number[]): Handle {
    return this.#constant([values.length], this.#native.TF_INT32, Int32Array.from(values)).handle;
  }

  /** A vector without elements. */
  empty(): Handle {
    return this.#constant([0], this.#native.TF_FLOAT, new Float32Array(0)).handle;
  }

  /** Releases constants; those that tensors share stay until the last of these is gone. */
  dispose(): void {
    this.#isDisposed = true;
    for (const constant of this.#constants.values()) this.#forget(constant);
    this.#restore();
  }

  #create(shape: readonly number[], type: number, values: NativeValues): Handle {
    const isNumeric = values instanceof Float32Array || values instanceof Int32Array || values instanceof Uint8Array;
    if (!isNumeric || type === this.#native.TF_STRING) return this.#native.createTensor(shape, type, values);
    const largest = type === this.#native.TF_FLOAT ? mostNumbers : mostIntegers;
    if (values.length <= largest) {
      const constant = this.#constant(shape, type, values);
      constant.users++;
      return constant.handle;
    }
    if (type === this.#native.TF_FLOAT && isConstant(values)) return this.#fill(shape, values[0] ?? 0);
    return this.#native.createTensor(shape, type, values);
  }

  #fill(shape: readonly number[], value: number): Handle {
    const { TF_ATTR_TYPE, TF_FLOAT, TF_INT32 } = this.#native;
    const attributes = [
      { name: 'T', type: TF_ATTR_TYPE, value: TF_FLOAT },
      { name: 'index_type', type: TF_ATTR_TYPE, value: TF_INT32 },
    ];
    const inputs = [this.integers(shape), this.scalar(value)];
    return at(this.#native.executeOp('Fill', attributes, inputs, 1), 0, 'output').id;
  }

  #constant(shape: readonly number[], type: number, values: Numbers): Constant {
    const key = keyOf(shape, type, values);
    const constant = this.#constants.get(key) ?? this.#upload(key, shape, type, values);
    this.#constants.delete(key);
    this.#constants.set(key, constant);
    const [oldest] = this.#constants.values();
    if (oldest !== undefined && this.#constants.size > most) this.#forget(oldest);
    return constant;
  }

  #upload(key: string, shape: readonly number[], type: number, values: Numbers): Constant {
    const constant = { key, handle: this.#native.createTensor(shape, type, values), users: 0 };
    this.#ofHandle.set(constant.handle, constant);
    return constant;
  }

  #forget(constant: Constant): void {
    this.#constants.delete(constant.key);
    if (constant.users === 0) this.#deleteNow(constant.handle);
  }

  #delete(handle: Handle): void {
    const constant = this.#ofHandle.get(handle);
    if (constant === undefined) {
      this.#native.deleteTensor(handle);
      return;
    }
    constant.users--;
    if (constant.users === 0 && this.#constants.get(constant.key) !== constant) this.#deleteNow(handle);
    if (this.#isDisposed) this.#restore();
  }

  #deleteNow(handle: Handle): void {
    this.#ofHandle.delete(handle);
    this.#native.deleteTensor(handle);
  }

  #restore(): void {
    if (this.#ofHandle.size === 0) this.#backend.binding = this.#native;
  }
}

/** Distinguishes zeros by their sign. */
function keyOf(shape: readonly number[], type: number, values: Numbers): string {
  return `${type} ${shape} ${Array.from(values, (value) => (Object.is(value, -0) ? '-0' : value))}`;
}

function isConstant(values: Numbers): boolean {
  const [first] = values;
  return values.every((value) => Object.is(value, first));
}
