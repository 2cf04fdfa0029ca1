import { LocalgradError } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';

/** The part of a backend's data storage that the meter hooks into. */
interface Storage {
  set(dataId: object, value: StoredData): void;
  get(dataId: object): StoredData | undefined;
  delete(dataId: object): boolean;
}

/** Options of `MemoryMeter`. */
export interface MemoryMeterOptions {
  /**
   * Whether tensors that are older than the meter reduce `liveBytes` when they are released, so that one which is replaced does
   * not count twice. `liveBytes` is then the difference to the start, and can be negative. Default false.
   */
  readonly countsOlder?: boolean;
  /** Existing tensors that count from the start, such as the weights of a network. Default: none. */
  readonly including?: Iterable<tf.Tensor>;
}

interface StoredData {
  readonly dtype?: tf.DataType | number;
  readonly shape?: readonly number[];
  readonly values?: { readonly byteLength?: number; readonly length?: number } | null;
}

/**
 * Exact bytes of the live tensors of the current backend, and their high-water mark.
 *
 * Counts buffers, not handles: it hooks into the backend's data storage, so that clones and reshapes count once, and
 * temporaries of kernels count too; `tf.memory().numBytes` does neither. Memory that a backend keeps outside its storage
 * (packed weights, scratch memory of kernels) is not counted.
 */
export class MemoryMeter {
  readonly #storage: Storage;
  readonly #original: Pick<Storage, 'set' | 'delete'>;
  readonly #sizes = new Map<object, number>();
  #live = 0;
  #peak = 0;
  #isAttached = true;

  /** Starts counting new tensors. @throws LocalgradError `misuse` for a backend without known storage */
  constructor({ countsOlder = false, including = [] }: MemoryMeterOptions = {}) {
    this.#storage = storageOf(tf.backend());
    this.#original = { set: this.#storage.set, delete: this.#storage.delete };
    const { set, delete: remove } = this.#original;
    this.#storage.set = (dataId, value) => {
      this.#account(dataId, bytesOfData(value));
      set.call(this.#storage, dataId, value);
    };
    this.#storage.delete = (dataId) => {
      if (countsOlder && !this.#sizes.has(dataId)) this.#live -= this.#sizeOf(dataId);
      this.#account(dataId, 0);
      return remove.call(this.#storage, dataId);
    };
    for (const { dataId } of including) this.#account(dataId, this.#sizeOf(dataId));
  }

  /** Bytes of live tensors that were created since the meter was attached, or that it includes. */
  get liveBytes(): number {
    return this.#live;
  }

  /** Highest `liveBytes` since the start or the last `reset`. */
  get peakBytes(): number {
    return this.#peak;
  }

  /** Number of their buffers. */
  get buffers(): number {
    return this.#sizes.size;
  }

  /** Sets the peak to the bytes that are live now. */
  reset(): void {
    this.#peak = this.#live;
  }

  /** Stops counting and removes the hooks from the backend. */
  detach(): void {
    if (!this.#isAttached) return;
    this.#isAttached = false;
    this.#storage.set = this.#original.set;
    this.#storage.delete = this.#original.delete;
  }

  #sizeOf(dataId: object): number {
    const data = this.#storage.get(dataId);
    return data === undefined ? 0 : bytesOfData(data);
  }

  #account(dataId: object, bytes: number): void {
    this.#live += bytes - (this.#sizes.get(dataId) ?? 0);
    if (bytes > 0) this.#sizes.set(dataId, bytes);
    else this.#sizes.delete(dataId);
    if (this.#live > this.#peak) this.#peak = this.#live;
  }
}

/** wasm: dataIdMap; cpu: data; webgpu and node: tensorMap. */
function storageOf(backend: unknown): Storage {
  const candidates = backend as Record<string, Storage | undefined>;
  const storage = candidates.dataIdMap ?? candidates.tensorMap ?? candidates.data;
  if (storage === undefined || typeof storage.set !== 'function') {
    throw new LocalgradError('misuse', `The memory meter does not support backend '${tf.getBackend()}'.`, {
      backend: tf.getBackend(),
    });
  }
  return storage;
}

function bytesOfData(data: StoredData): number {
  if (data.shape !== undefined && data.shape !== null) {
    return tf.util.sizeFromShape([...data.shape]) * bytesPerElement(data.dtype ?? 'float32');
  }
  if (data.values === undefined || data.values === null) return 0;
  return data.values.byteLength ?? (data.values.length ?? 0) * 8;
}

/** The Node backend stores TensorFlow's numbers for data types: bool is 10, complex64 is 8; the others have 4 bytes. */
function bytesPerElement(dtype: tf.DataType | number): number {
  if (typeof dtype === 'string') return tf.util.bytesPerElement(dtype);
  return dtype === 10 ? 1 : dtype === 8 ? 8 : 4;
}
