import { type DataType, engine, type Tensor, type TensorInfo } from '@tensorflow/tfjs';

/** The parts of the TensorFlow.js WebGPU backend that kernels use. */
export interface WebGpuBackend {
  readonly device: GpuDevice;
  readonly bufferManager: {
    readonly numBytesUsed: number;
    readonly numBytesAllocated: number;
    acquireBuffer(size: number, usage: number, ...rest: unknown[]): unknown;
  };
  readonly adapterInfo: unknown;
  read(dataId: object): Promise<unknown>;
  runWebGPUProgram(
    program: object,
    inputs: readonly Tensor[],
    dtype: DataType,
    uniforms?: readonly { readonly type: 'int32' | 'float32'; readonly data: number[] }[],
  ): TensorInfo;
}

export interface GpuDevice {
  readonly limits: Readonly<Record<string, number>>;
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  addEventListener(type: 'uncapturederror', listener: (event: { readonly error: Error }) => void): void;
  removeEventListener(type: 'uncapturederror', listener: (event: { readonly error: Error }) => void): void;
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
