import type { ComputePipeline, GpuDevice } from '../gpu.js';

const threads = 64;
const pipelines = new WeakMap<GpuDevice, ComputePipeline>();

/** WGSL: copies the bits of one part of a buffer to one of another. */
const code = `
  @group(0) @binding(0) var<storage, read_write> copied : array<u32>;
  @group(0) @binding(1) var<storage, read> original : array<u32>;
  @compute @workgroup_size(${threads}, 1, 1)
  fn start(
    @builtin(local_invocation_index) local : u32,
    @builtin(workgroup_id) workgroup : vec3<u32>,
    @builtin(num_workgroups) workgroups : vec3<u32>,
  ) {
    let index = (workgroup.y * workgroups.x + workgroup.x) * ${threads}u + local;
    if (index < arrayLength(&copied)) { copied[index] = original[index]; }
  }`;

/** A copy inside a compute pass, which a `copyBufferToBuffer` would end. */
export function copyPipeline(device: GpuDevice): ComputePipeline {
  const known = pipelines.get(device);
  if (known !== undefined) return known;
  const label = 'localgrad copy';
  const module = device.createShaderModule({ code, label });
  const pipeline = device.createComputePipeline({ compute: { module, entryPoint: 'start' }, label, layout: 'auto' });
  pipelines.set(device, pipeline);
  return pipeline;
}

export function copyWorkgroups({ limits }: GpuDevice, bytes: number): readonly [number, number, number] {
  const groups = Math.ceil(bytes / 4 / threads);
  const columns = Math.min(groups, limits.maxComputeWorkgroupsPerDimension ?? 65_535);
  return [columns, Math.ceil(groups / columns), 1];
}
