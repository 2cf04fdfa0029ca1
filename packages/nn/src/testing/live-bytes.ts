import type { TrainingKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { spreadMeans } from '../blocks/window-means.js';

interface Storage {
  set(id: object, value: unknown): void;
  delete(id: object): boolean;
}

/** Measures the bytes of the cpu backend's buffers; unlike `MemoryMeter`, it can exclude kernel temporaries. */
export class LiveBytes {
  live = 0;
  peak = 0;
  #quiet = 0;
  readonly #storage: Storage;
  readonly #original: Storage;

  constructor() {
    const storage = (tf.backend() as unknown as { data: Storage }).data;
    const sizes = new Map<object, number>();
    this.#storage = storage;
    this.#original = { set: storage.set, delete: storage.delete };
    storage.set = (id, value) => {
      this.#original.set.call(storage, id, value);
      const values = (value as { values?: { byteLength?: number } }).values;
      const bytes = values?.byteLength ?? 0;
      this.live += bytes - (sizes.get(id) ?? 0);
      sizes.set(id, bytes);
      this.#note();
    };
    storage.delete = (id) => {
      this.live -= sizes.get(id) ?? 0;
      sizes.delete(id);
      return this.#original.delete.call(storage, id);
    };
  }

  /** Peak bytes during `run`, beyond those allocated at its start. */
  peakOf<T>(run: () => T): { result: T; peak: number; settled: number } {
    const start = this.live;
    this.peak = start;
    const result = run();
    return { result, peak: this.peak - start, settled: this.live - start };
  }

  /** Kernels whose temporaries are not counted, which models kernels that reuse consumed buffers. */
  withoutTemporaries(kernels: TrainingKernels): TrainingKernels {
    const quietly =
      <A extends unknown[], R>(run: (...values: A) => R) =>
      (...values: A): R => {
        this.#quiet++;
        try {
          return run(...values);
        } finally {
          this.#quiet--;
          this.#note();
        }
      };
    const whole: TrainingKernels = { ...composed(kernels), ...kernels };
    const wrapped = Object.entries(whole).map(([name, value]) => [
      name,
      typeof value === 'function' ? quietly(value) : value,
    ]);
    return Object.fromEntries(wrapped) as TrainingKernels;
  }

  stop(): void {
    this.#storage.set = this.#original.set;
    this.#storage.delete = this.#original.delete;
  }

  #note(): void {
    if (this.#quiet === 0) this.peak = Math.max(this.peak, this.live);
  }
}

/** The optional operations that save a map, from those that need one. */
function composed(
  kernels: TrainingKernels,
): Pick<TrainingKernels, 'conv2dActivatedFilterGradient' | 'conv2dInputGradientInPlace' | 'pooledBatchNormGradient'> {
  return {
    conv2dActivatedFilterGradient(x, normalization, dy, filterShape, geometry) {
      const activation = kernels.batchNormApply(x, normalization, undefined, true);
      const gradient = kernels.conv2dFilterGradient(activation, dy, filterShape, geometry);
      activation.dispose();
      return gradient;
    },
    conv2dInputGradientInPlace(dy, filter, geometry, added) {
      const dx = kernels.conv2dInputGradient(dy, filter, dy.shape, geometry, added);
      dy.dispose();
      return dx;
    },
    pooledBatchNormGradient(request) {
      const [, height, width, channels] = request.x.shape;
      const dy = spreadMeans(request.dy, [height, width, channels]);
      return kernels.batchNormGradient({ ...request, dy, wantMasked: false });
    },
  };
}
