import { type DataType, engine, type Tensor, type TensorInfo } from '@tensorflow/tfjs';
import type { CommandEncoder, ComputePipeline, GpuBuffer, GpuDevice } from './gpu.js';

/** The parts of the TensorFlow.js WebGPU backend that kernels use. */
export interface WebGpuBackend {
  readonly device: GpuDevice;
  readonly bufferManager: {
    numFreeBuffers: number;
    readonly numBytesUsed: number;
    numBytesAllocated: number;
    /** Buffers of the pool, by size and usage. */
    readonly freeBuffers: Map<string, GpuBuffer[]>;
    acquireBuffer(size: number, usage: number, ...rest: unknown[]): GpuBuffer;
    releaseBuffer(buffer: GpuBuffer, reuse?: boolean): void;
  };
  readonly adapterInfo: unknown;
  readonly tensorMap: Map<object, BufferData>;
  readonly commandQueueOwnedIds: WeakSet<object>;
  readonly commandEncoder: CommandEncoder | null;
  /** The next number of a tensor's data: they ascend. */
  nextDataId(): number;
  submitQueue(): void;
  makeUniforms(fields: readonly UniformField[]): object;
  read(dataId: object): Promise<unknown>;
  readSync(dataId: object): unknown;
  readToGPU(dataId: object, ...rest: unknown[]): unknown;
  write(values: null, shape: readonly number[], dtype: DataType): object;
  makeTensorInfo(shape: readonly number[], dtype: DataType): TensorInfo;
  uploadToGPU(dataId: object): void;
  disposeData(dataId: object): boolean;
  releaseResource(dataId: object): void;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  tensorToBinding(tensor: Pick<Tensor, 'dataId'>): object;
  recordAndSubmit(
    program: GpuProgram,
    output: Operand,
    inputs: readonly Operand[],
    uniforms?: readonly UniformField[],
  ): void;
  runWebGPUProgram(
    program: object,
    inputs: readonly Tensor[],
    dtype: DataType,
    uniforms?: readonly UniformField[],
  ): TensorInfo;
}

/** A shader that is ready to be dispatched. */
export interface GpuProgram {
  readonly shaderKey: string;
  readonly pipeline: ComputePipeline;
  /** Number of workgroups along x, y and z. */
  readonly dispatch: readonly [number, number, number];
  /** Number of buffers that it writes: the output and the first of its inputs. Default 1, as TensorFlow.js' programs. */
  readonly written?: number;
  /** Set for programs that read pixels. */
  readonly pixelsOpType?: unknown;
}

export interface UniformField {
  readonly type: 'int32' | 'float32' | 'uint32';
  data: readonly number[];
}

/** What the backend knows about a tensor. */
export interface BufferData {
  readonly dtype: DataType;
  readonly shape: readonly number[] | undefined;
  readonly refCount: number;
  resource: GpuBuffer | null;
  /** Values on the host: not uploaded yet, or cached by a read. */
  values?: ArrayLike<number> | null;
}

/** What the backend knows about a tensor; undefined after its disposal. `tensorMap.get` alone would ask other backends. */
export function dataOf({ tensorMap }: WebGpuBackend, dataId: object): BufferData | undefined {
  return tensorMap.has(dataId) ? tensorMap.get(dataId) : undefined;
}

/** A tensor as the backend binds it. */
export interface Operand {
  readonly dataId: object;
  readonly shape: readonly number[];
  readonly size: number;
  readonly dtype: DataType;
}

export interface ProgramRequest {
  /** Cache key: distinguishes shaders with different code. Programs that differ in uniforms only share a key. */
  readonly key: string;
  /** Storage buffers by their names in the code. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputShape: readonly number[];
  readonly integers?: Readonly<Record<string, number>>;
  readonly numbers?: Readonly<Record<string, number>>;
  /** Number of invocations per workgroup; default 64. */
  readonly threads?: number;
  readonly workgroups: number;
  /** Declarations before `main`. */
  readonly declarations?: string;
  /** Body of `main`; `index` is the invocation's index, `group` its workgroup's, `local` its index in the workgroup. */
  readonly body: string;
}

/** Runs one shader, without reading back. The caller owns the result. */
export function runProgram<Result extends Tensor>(backend: WebGpuBackend, request: ProgramRequest): Result {
  const { key, inputs, outputShape, integers = {}, numbers = {}, threads = 64, workgroups } = request;
  const fields = (values: object, type: string) => Object.keys(values).map((name) => `${name} : ${type}, `);
  const program = {
    shaderKey: `localgrad ${key}`,
    outputShape: [...outputShape],
    variableNames: Object.keys(inputs),
    uniforms: [...fields(integers, 'i32'), ...fields(numbers, 'f32')].join(''),
    workgroupSize: [threads, 1, 1],
    dispatchLayout: { x: outputShape.map((_, axis) => axis) },
    dispatch: [workgroups, 1, 1],
    getUserCode: () => `
      ${request.declarations ?? ''}
      fn main(index : i32) {
        let group = index / ${threads};
        let local = i32(localIndex);
        ${request.body}
      }`,
  };
  const uniforms = [
    ...Object.values(integers).map((value) => ({ type: 'int32' as const, data: [value] })),
    ...Object.values(numbers).map((value) => ({ type: 'float32' as const, data: [value] })),
  ];
  const info = backend.runWebGPUProgram(program, Object.values(inputs), 'float32', uniforms);
  return engine().makeTensorFromTensorInfo(info) as Result;
}

/** Runs a shader that computes each element of its result independently. */
export function runElementwise<Result extends Tensor>(
  backend: WebGpuBackend,
  request: Omit<ProgramRequest, 'workgroups' | 'threads'>,
): Result {
  const size = request.outputShape.reduce((product, length) => product * length, 1);
  return runProgram<Result>(backend, {
    ...request,
    integers: { elements: size, ...request.integers },
    workgroups: Math.ceil(size / 64),
    body: `if (index >= uniforms.elements) { return; }\n${request.body}`,
  });
}
