import { at } from '@localgrad/core';
import type { NamedTensors, RecordableStep } from '@localgrad/kernels';
import type { Tensor } from '@tensorflow/tfjs';
import { tensor, util } from '@tensorflow/tfjs';
import type { FlatStorage } from '../flat-storage.js';
import { dataOf, type GpuProgram, type Operand, type UniformField, type WebGpuBackend } from '../program.js';
import { type Operation, type Place, placesOf, type StepTrace, type UpdateGroup, type Upload } from './trace.js';
import { packUniforms, type UniformBlock } from './uniforms.js';

/** A tensor, or a flat buffer, whose size only its owner knows. */
type Handle = Pick<Tensor, 'dataId'> & { readonly size?: number };

/** Runs steps as usual, and logs what they ask of the device. */
export class Tracer {
  readonly #backend: WebGpuBackend;
  readonly #storage: FlatStorage;
  #log: Log | undefined;

  constructor(backend: WebGpuBackend, storage: FlatStorage) {
    this.#backend = backend;
    this.#storage = storage;
  }

  /** The log of the step that is running. */
  get log(): Log | undefined {
    return this.#log;
  }

  trace<Results extends NamedTensors>(
    step: RecordableStep<Results>,
    inputs: NamedTensors,
  ): { readonly results: Results; readonly trace: StepTrace } {
    const log = new Log(this.#backend, this.#storage);
    const numbers = step.numbers?.() ?? {};
    const before = step.state().map((tensor) => log.placeOf(tensor));
    // On the device, the parts of an input are computed there, from the input of each replay.
    for (const { dataId } of Object.values(inputs)) this.#backend.uploadToGPU(dataId);
    this.#log = log;
    const stop = log.listen();
    try {
      const results = step.run(inputs);
      const after = step.state().map((tensor) => log.placeOf(tensor));
      return { results, trace: log.end({ inputs, results, before, after, numbers }) };
    } finally {
      stop();
      this.#log = undefined;
    }
  }
}

interface Ending {
  readonly inputs: NamedTensors;
  readonly results: NamedTensors;
  readonly before: readonly Place[];
  readonly after: readonly Place[];
  readonly numbers: Readonly<Record<string, number>>;
}

/** The log of one step. */
export class Log {
  readonly #backend: WebGpuBackend;
  readonly #storage: FlatStorage;
  readonly #operations: Operation[] = [];
  readonly #uploads = new Map<object, Upload>();
  readonly #bytes = new Map<object, number>();
  readonly #computed = new Map<object, () => Float32Array>();
  readonly #repeated: (() => void)[] = [];
  readonly #updates: UpdateGroup[][] = [];
  /** Data IDs above it belong to the step. */
  readonly #firstId: number;
  #problem: string | undefined;
  #uniforms: UniformBlock = { bytes: new ArrayBuffer(0), offsets: [] };
  #isRepeating = false;
  #isUpdating = false;
  #isComputing = false;

  constructor(backend: WebGpuBackend, storage: FlatStorage) {
    this.#backend = backend;
    this.#storage = storage;
    this.#firstId = backend.nextDataId();
  }

  /** Why the step cannot be recorded; the first reason stays. */
  fail(problem: string): void {
    this.#problem ??= problem;
  }

  /** Starts to log the calls of the backend. @returns stops */
  listen(): () => void {
    const backend = this.#backend;
    const storage = this.#storage;
    const { recordAndSubmit, makeUniforms, uploadToGPU, read, readSync, readToGPU } = backend;
    const original = { recordAndSubmit, makeUniforms, uploadToGPU, read, readSync, readToGPU };
    const own = Object.keys(original).filter((name) => Object.hasOwn(backend, name));
    backend.makeUniforms = (fields: readonly UniformField[]) => {
      this.#uniforms = packUniforms(fields);
      return makeUniforms.call(backend, fields);
    };
    backend.recordAndSubmit = (program, output, inputs, uniforms) => {
      recordAndSubmit.call(backend, program, output, inputs, uniforms);
      this.#dispatch(program, output, inputs);
    };
    backend.uploadToGPU = (dataId) => {
      this.#upload(dataId);
      uploadToGPU.call(backend, dataId);
    };
    const readsBack = 'it reads values back from the device';
    backend.read = (dataId) => {
      if (this.#isOnDevice(dataId)) this.fail(readsBack);
      return read.call(backend, dataId);
    };
    backend.readSync = (dataId) => {
      if (this.#isOnDevice(dataId)) this.fail(readsBack);
      return readSync.call(backend, dataId);
    };
    backend.readToGPU = (dataId, ...rest) => {
      this.fail(readsBack);
      return readToGPU.call(backend, dataId, ...rest);
    };
    storage.onCopy = (tensor, target, offset) => this.#copy(tensor, target, offset);
    return () => {
      storage.onCopy = undefined;
      for (const name of Object.keys(original)) if (!own.includes(name)) Reflect.deleteProperty(backend, name);
      Object.assign(backend, Object.fromEntries(Object.entries(original).filter(([name]) => own.includes(name))));
    };
  }

  compute(values: () => Float32Array, shape: readonly number[]): Tensor {
    this.#isComputing = true;
    try {
      const result = tensor(values(), [...shape], 'float32');
      this.#computed.set(result.dataId, values);
      return result;
    } finally {
      this.#isComputing = false;
    }
  }

  refuse(reason: string): void {
    if (!this.#isComputing) this.fail(reason);
  }

  repeat(update: () => void): void {
    this.#repeated.push(update);
    this.#isRepeating = true;
    try {
      update();
    } finally {
      this.#isRepeating = false;
    }
  }

  /** Runs a kernel that takes new numbers in replays. `run` reports each group that one dispatch updates. */
  update<Result>(run: (report: (indices: readonly number[], names: readonly string[]) => void) => Result): Result {
    const groups: UpdateGroup[] = [];
    this.#updates.push(groups);
    this.#isUpdating = true;
    if (!this.#isRepeating) this.fail('an optimizer is called outside of the update of a train step');
    try {
      return run((indices, names) => {
        const offsets = this.#uniforms.offsets.slice(this.#uniforms.offsets.length - names.length);
        const numbers = new Map(names.map((name, index) => [name, at(offsets, index, 'uniform')] as const));
        groups.push({ indices, operation: this.#operations.length - 1, numbers });
      });
    } finally {
      this.#isUpdating = false;
    }
  }

  placeOf({ dataId, size }: Handle): Place {
    const view = this.#storage.viewOf({ dataId });
    const root = view?.flat.whole.dataId ?? dataId;
    if (view !== undefined) {
      this.#bytes.set(root, 4 * view.flat.length);
      return { root, offset: 4 * view.offset, bytes: 4 * view.size };
    }
    const bytes = this.#bytes.get(root) ?? bytesOf(this.#backend, dataId, size);
    this.#bytes.set(root, bytes);
    return { root, offset: 0, bytes };
  }

  end({ inputs, results, before, after, numbers }: Ending): StepTrace {
    const inputPlaces = new Map(Object.entries(inputs).map(([name, tensor]) => [name, this.placeOf(tensor)] as const));
    const outputs = Object.entries(results).map(([name, tensor]) => {
      return [name, { ...this.placeOf(tensor), shape: tensor.shape, dtype: tensor.dtype }] as const;
    });
    const created = new Set([...this.#bytes.keys()].filter((root) => this.#isCreated(root)));
    if (before.length !== after.length) this.fail('it creates state');
    const used = new Set(this.#operations.flatMap((operation) => placesOf(operation)).map(({ root }) => root));
    const isUsed = (_: Place, index: number) =>
      [before[index], after[index]].some((place) => place !== undefined && used.has(place.root));
    const places = [...after, ...outputs.map(([, place]) => place)];
    this.#checkSurvivors(created, new Set(places.map(({ root }) => root)));
    return {
      operations: this.#operations,
      uploads: this.#uploads,
      bytes: this.#bytes,
      created,
      inputs: inputPlaces,
      outputs: new Map(outputs),
      before: before.filter(isUsed),
      after: after.filter(isUsed),
      usedState: before.map(isUsed),
      numbers,
      repeated: this.#repeated,
      updates: this.#updates,
      problem: this.#problem,
    };
  }

  /** Tensors that outlive the step would be read by the next one, in which a replay has not created them. */
  #checkSurvivors(created: ReadonlySet<object>, declared: ReadonlySet<object>): void {
    for (const root of created) {
      const data = dataOf(this.#backend, root);
      if (data === undefined || data.refCount <= 0 || declared.has(root)) continue;
      this.fail(`it keeps a tensor of shape [${data.shape?.join(', ') ?? ''}] that is neither a result nor state`);
      return;
    }
  }

  #dispatch(
    { shaderKey, pipeline, dispatch, written = 1, pixelsOpType }: GpuProgram,
    output: Operand,
    inputs: readonly Operand[],
  ): void {
    if (pixelsOpType !== undefined && pixelsOpType !== null) this.fail('it reads pixels');
    if (this.#isRepeating && !this.#isUpdating) this.fail('its optimizer computes with operations of TensorFlow.js');
    const places = [output, ...inputs].map((operand) => this.placeOf(operand));
    const [x, y = 1, z = 1] = dispatch;
    this.#operations.push({
      kind: 'dispatch',
      key: shaderKey,
      pipeline,
      workgroups: [x, y, z],
      places,
      written,
      uniforms: this.#uniforms,
    });
  }

  #copy(tensor: Handle, target: Handle, offset: number): void {
    const from = this.placeOf(tensor);
    const { root } = this.placeOf(target);
    this.#operations.push({ kind: 'copy', from, to: { root, offset: 4 * offset, bytes: from.bytes } });
  }

  #upload(dataId: object): void {
    const data = dataOf(this.#backend, dataId);
    const values = data?.resource == null ? data?.values : undefined;
    if (data === undefined || values == null || !this.#isCreated(dataId)) return;
    const copy = data.dtype === 'float32' ? Float32Array.from(values) : Int32Array.from(values);
    this.#uploads.set(dataId, { values: copy, compute: this.#computed.get(dataId) });
  }

  #isCreated(dataId: object): boolean {
    return 'id' in dataId && typeof dataId.id === 'number' && dataId.id > this.#firstId;
  }

  #isOnDevice(dataId: object): boolean {
    const data = dataOf(this.#backend, dataId);
    return data?.resource != null && data.values == null;
  }
}

/** TensorFlow.js stores every number, and booleans too, in four bytes. */
function bytesOf(backend: WebGpuBackend, dataId: object, size = 1): number {
  const shape = dataOf(backend, dataId)?.shape;
  return Math.max(4, 4 * (shape === undefined ? size : util.sizeFromShape([...shape])));
}
