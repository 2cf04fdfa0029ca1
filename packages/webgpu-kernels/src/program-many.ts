import { type DataType, engine, type Tensor, util } from '@tensorflow/tfjs';
import type { ComputePipeline } from './gpu.js';
import { dataOf, type Operand, type ProgramRequest, type WebGpuBackend } from './program.js';

export interface ManyRequest extends Omit<ProgramRequest, 'outputShape'> {
  /** Shapes of the results, by the names that the code writes them under. Inputs and results: at most eight buffers. */
  readonly outputs: Readonly<Record<string, readonly number[]>>;
  /** Buffers that the code changes in place, by name. */
  readonly changed?: Readonly<Record<string, Tensor>> | undefined;
}

export interface InPlaceRequest extends Omit<ProgramRequest, 'outputShape' | 'workgroups'> {
  /** Buffers that the code changes, by name. */
  readonly changed: Readonly<Record<string, Tensor>>;
  readonly elements: number;
}

const pipelines = new WeakMap<object, Map<string, ComputePipeline>>();

/** Runs one shader with several results, which TensorFlow.js' programs cannot have. They belong to the caller. */
export function runProgramMany(backend: WebGpuBackend, request: ManyRequest): Record<string, Tensor> {
  const infos = Object.entries(request.outputs).map(([name, shape]) => {
    const info = backend.makeTensorInfo([...shape], 'float32');
    backend.uploadToGPU(info.dataId);
    return [name, info] as const;
  });
  const written = infos.map(([name, { dataId, shape, dtype }]) => {
    return [name, operand({ dataId, size: util.sizeFromShape(shape), dtype })] as const;
  });
  const changed = changedOperands(backend, request.changed ?? {});
  record(backend, request, Object.fromEntries([...written, ...changed]));
  return Object.fromEntries(infos.map(([name, info]) => [name, engine().makeTensorFromTensorInfo(info) as Tensor]));
}

/** Runs an elementwise shader that changes buffers in place. */
export function runInPlace(backend: WebGpuBackend, request: InPlaceRequest): void {
  const { elements, integers, body } = request;
  const written = changedOperands(backend, request.changed);
  record(
    backend,
    {
      ...request,
      integers: { elements, ...integers },
      workgroups: Math.ceil(elements / 64),
      body: `if (index >= uniforms.elements) { return; }\n${body}`,
    },
    Object.fromEntries(written),
  );
}

/** Whether each of these tensors is the only handle of its numbers, so that they may be changed in place. */
export function isUnshared(backend: WebGpuBackend, tensors: readonly Tensor[]): boolean {
  return tensors.every(({ dataId }) => dataOf(backend, dataId)?.refCount === 1);
}

function changedOperands(backend: WebGpuBackend, changed: Readonly<Record<string, Tensor>>) {
  return Object.entries(changed).map(([name, tensor]) => {
    backend.uploadToGPU(tensor.dataId);
    const data = dataOf(backend, tensor.dataId);
    // Values cached by a read would be outdated.
    if (data !== undefined) data.values = null;
    return [name, operand(tensor)] as const;
  });
}

/** Flat: shapes are no business of these shaders. */
function operand({ dataId, size, dtype }: { dataId: object; size: number; dtype: DataType }): Operand {
  return { dataId, size, dtype, shape: [size] };
}

function record(
  backend: WebGpuBackend,
  request: Omit<ProgramRequest, 'outputShape'>,
  written: Readonly<Record<string, Operand>>,
): void {
  const { key, integers = {}, numbers = {}, workgroups, threads = 64 } = request;
  const read = Object.fromEntries(
    Object.entries(request.inputs).map(([name, tensor]) => [name, operand(tensor)] as const),
  );
  for (const { dataId } of Object.values(read)) backend.uploadToGPU(dataId);
  const [output, ...others] = Object.values(written);
  if (output === undefined) return;
  const known = pipelines.get(backend) ?? new Map<string, ComputePipeline>();
  pipelines.set(backend, known);
  const types = Object.values(read).map(({ dtype }) => dtype);
  const wholeKey = `localgrad ${key} ${types.join(' ')}`;
  const pipeline = known.get(wholeKey) ?? compile(backend, request, written, read, threads);
  known.set(wholeKey, pipeline);
  const most = backend.device.limits.maxComputeWorkgroupsPerDimension ?? 65_535;
  const columns = Math.min(workgroups, most);
  const dispatch = [columns, Math.ceil(workgroups / columns), 1] as const;
  backend.recordAndSubmit(
    { shaderKey: wholeKey, pipeline, dispatch, written: Object.keys(written).length },
    output,
    [...others, ...Object.values(read)],
    [
      ...Object.values(integers).map((value) => ({ type: 'int32' as const, data: [value] })),
      ...Object.values(numbers).map((value) => ({ type: 'float32' as const, data: [value] })),
    ],
  );
}

function compile(
  { device }: WebGpuBackend,
  { key, integers = {}, numbers = {}, declarations = '', body }: Omit<ProgramRequest, 'outputShape'>,
  written: Readonly<Record<string, Operand>>,
  read: Readonly<Record<string, Operand>>,
  threads: number,
): ComputePipeline {
  const buffers = [...Object.keys(written), ...Object.keys(read)];
  const fields = [
    // The backend's own: NaN, infinity, and for each buffer its length and a stride.
    'NAN : f32',
    'INFINITY : f32',
    ...buffers.flatMap((_, index) => [`length${index} : i32`, `stride${index} : i32`]),
    ...Object.keys(integers).map((name) => `${name} : i32`),
    ...Object.keys(numbers).map((name) => `${name} : f32`),
  ];
  const binding = (name: string, index: number) => {
    const input = read[name];
    const access = input === undefined ? 'read_write' : 'read';
    const type = input?.dtype === 'int32' ? 'i32' : 'f32';
    return `@group(0) @binding(${index}) var<storage, ${access}> ${name} : array<${type}>;`;
  };
  const code = `
    struct Uniforms { ${fields.join(', ')} };
    ${buffers.map(binding).join('\n')}
    @group(0) @binding(${buffers.length}) var<uniform> uniforms : Uniforms;
    ${declarations}
    @compute @workgroup_size(${threads}, 1, 1)
    fn start(
      @builtin(local_invocation_index) localIndex : u32,
      @builtin(workgroup_id) workgroup : vec3<u32>,
      @builtin(num_workgroups) workgroups : vec3<u32>,
    ) {
      ${buffers.map((name) => `_ = &${name};`).join(' ')} _ = uniforms.NAN;
      let local = i32(localIndex);
      let group = i32(workgroup.y * workgroups.x + workgroup.x);
      let index = group * ${threads} + local;
      ${body}
    }`;
  const module = device.createShaderModule({ code, label: key });
  return device.createComputePipeline({ compute: { module, entryPoint: 'start' }, label: key, layout: 'auto' });
}
