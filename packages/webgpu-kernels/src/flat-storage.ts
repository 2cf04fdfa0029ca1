import { type DataType, engine, type Tensor, util } from '@tensorflow/tfjs';
import type { GpuBuffer } from './gpu.js';
import type { BufferData, WebGpuBackend } from './program.js';

/** Numbers by which a view's offset is aligned: 256 bytes, WebGPU's default for storage buffers. */
const alignment = 64;

/** One buffer that holds several tensors: views. It lives as long as any of them. */
export interface Flat {
  /** The whole buffer as an operand of kernels; not a tensor of TensorFlow.js. */
  readonly whole: Tensor;
  readonly buffer: GpuBuffer;
  /** In numbers. */
  readonly length: number;
  users: number;
}

export interface View {
  readonly flat: Flat;
  /** In numbers. */
  readonly offset: number;
  readonly size: number;
}

export function alignedLength(size: number): number {
  return Math.ceil(size / alignment) * alignment;
}

/**
 * Tensors that are parts of one buffer, which TensorFlow.js' WebGPU backend does not have. Kernels bind them by their
 * offsets; everything else that the backend does with a tensor's whole buffer gets a copy.
 */
export class FlatStorage {
  readonly #backend: WebGpuBackend;
  readonly #views = new WeakMap<BufferData, View>();
  readonly #original: Pick<WebGpuBackend, 'tensorToBinding' | 'releaseResource' | 'read' | 'readSync' | 'readToGPU'>;

  constructor(backend: WebGpuBackend) {
    this.#backend = backend;
    const { tensorToBinding, releaseResource, read, readSync, readToGPU } = backend;
    this.#original = { tensorToBinding, releaseResource, read, readSync, readToGPU };
    backend.tensorToBinding = (tensor) => {
      const view = this.viewOf(tensor);
      if (view === undefined) return tensorToBinding.call(backend, tensor);
      return { buffer: view.flat.buffer, offset: 4 * view.offset, size: 4 * view.size };
    };
    backend.releaseResource = (dataId) => {
      const data = backend.tensorMap.get(dataId);
      const view = data === undefined ? undefined : this.#views.get(data);
      if (data === undefined || view === undefined) return releaseResource.call(backend, dataId);
      data.resource = null;
      this.#views.delete(data);
      view.flat.users--;
      if (view.flat.users === 0) backend.disposeData(view.flat.whole.dataId);
    };
    backend.read = async (dataId) => {
      const copy = this.#copyOf(dataId);
      if (copy === undefined) return read.call(backend, dataId);
      try {
        return await read.call(backend, copy);
      } finally {
        backend.disposeData(copy);
      }
    };
    backend.readSync = (dataId) => {
      const copy = this.#copyOf(dataId);
      if (copy === undefined) return readSync.call(backend, dataId);
      const values = readSync.call(backend, copy);
      backend.disposeData(copy);
      return values;
    };
    backend.readToGPU = (dataId, ...rest) => {
      const copy = this.#copyOf(dataId);
      if (copy === undefined) return readToGPU.call(backend, dataId, ...rest);
      const result = readToGPU.call(backend, copy, ...rest);
      backend.disposeData(copy);
      return result;
    };
  }

  /** A tensor's place in a flat buffer, if it is a view. */
  viewOf({ dataId }: Pick<Tensor, 'dataId'>): View | undefined {
    const data = this.#backend.tensorMap.get(dataId);
    return data === undefined ? undefined : this.#views.get(data);
  }

  /** True if no other handle shares the tensor's numbers. */
  isOwned({ dataId }: Pick<Tensor, 'dataId'>): boolean {
    return this.#backend.tensorMap.get(dataId)?.refCount === 1;
  }

  /** Creates an uninitialized buffer, which lives until its last view is disposed. */
  create(length: number): Flat {
    const backend = this.#backend;
    const dataId = backend.write(null, [length], 'float32');
    backend.uploadToGPU(dataId);
    const { resource, ...data } = this.#data(dataId);
    // Without a shape, meters do not count it: they count its views.
    backend.tensorMap.set(dataId, { ...data, resource, shape: undefined });
    const whole = { dataId, shape: [length], size: length, dtype: 'float32' };
    return { whole: whole as never, buffer: resource as GpuBuffer, length, users: 0 };
  }

  /** A tensor that is part of a flat buffer. */
  view<T extends Tensor>(flat: Flat, offset: number, shape: readonly number[], dtype: DataType = 'float32'): T {
    const backend = this.#backend;
    const dataId = backend.write(null, [...shape], dtype);
    const data = this.#data(dataId);
    data.resource = flat.buffer;
    this.#views.set(data, { flat, offset, size: util.sizeFromShape([...shape]) });
    flat.users++;
    return engine().makeTensorFromTensorInfo({ dataId, shape: [...shape], dtype }) as T;
  }

  /**
   * Copies a tensor's numbers, after the queued commands, to an offset (in numbers) of the buffer of `target`, which has
   * been uploaded.
   */
  copy(tensor: Pick<Tensor, 'dataId' | 'size'>, target: Pick<Tensor, 'dataId'>, offset: number): void {
    const backend = this.#backend;
    const { dataId, size } = tensor;
    backend.uploadToGPU(dataId);
    const from = this.viewOf(tensor)?.offset ?? 0;
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    const [source, destination] = [this.#data(dataId).resource, this.#data(target.dataId).resource];
    if (source === null || destination === null) throw new Error('The backend has lost a buffer.');
    backend.commandEncoder?.copyBufferToBuffer(source, 4 * from, destination, 4 * offset, 4 * size);
    // Its buffer is given back when the copy has been submitted.
    backend.commandQueueOwnedIds.add(dataId);
    this.onCopy?.(tensor, target, offset);
  }

  /** Called after each copy, while a step is traced. */
  onCopy:
    | ((tensor: Pick<Tensor, 'dataId' | 'size'>, target: Pick<Tensor, 'dataId'>, offset: number) => void)
    | undefined;

  /** Restores the backend. Views must not be used afterwards. */
  dispose(): void {
    Object.assign(this.#backend, this.#original);
  }

  /** A view's numbers in a buffer of their own. */
  #copyOf(dataId: object): object | undefined {
    const backend = this.#backend;
    const data = backend.tensorMap.get(dataId);
    const view = data === undefined ? undefined : this.#views.get(data);
    if (data === undefined || view === undefined) return undefined;
    const shape = data.shape ?? [];
    const copy = backend.write(null, shape, data.dtype);
    backend.uploadToGPU(copy);
    this.copy({ dataId, size: view.size }, { dataId: copy }, 0);
    backend.commandQueueOwnedIds.add(copy);
    return copy;
  }

  #data(dataId: object): BufferData {
    const data = this.#backend.tensorMap.get(dataId);
    if (data === undefined) throw new Error('The backend has lost a tensor.');
    return data;
  }
}
