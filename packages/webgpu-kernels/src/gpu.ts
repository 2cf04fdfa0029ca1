/** The parts of the WebGPU API that this package uses: its types are not in TypeScript's libraries. */
export interface GpuDevice {
  readonly queue: GpuQueue;
  readonly limits: Readonly<Record<string, number>>;
  /** Absent in older implementations. */
  readonly adapterInfo?: { readonly vendor?: string; readonly architecture?: string };
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  createShaderModule(description: { readonly code: string; readonly label: string }): object;
  createComputePipeline(description: object): ComputePipeline;
  createBuffer(description: { readonly size: number; readonly usage: number; readonly label?: string }): GpuBuffer;
  createBindGroup(description: { readonly layout: object; readonly entries: readonly BindGroupEntry[] }): BindGroup;
  createCommandEncoder(): CommandEncoder;
  addEventListener(type: 'uncapturederror', listener: (event: { readonly error: Error }) => void): void;
  removeEventListener(type: 'uncapturederror', listener: (event: { readonly error: Error }) => void): void;
}

export interface GpuQueue {
  writeBuffer(
    buffer: GpuBuffer,
    offset: number,
    data: ArrayBufferLike | ArrayBufferView,
    from?: number,
    size?: number,
  ): void;
  submit(commands: readonly object[]): void;
}

export interface GpuBuffer {
  readonly size: number;
  destroy(): void;
}

export interface ComputePipeline {
  getBindGroupLayout(index: number): object;
}

export interface BindGroupEntry {
  readonly binding: number;
  readonly resource: { readonly buffer: GpuBuffer; readonly offset: number; readonly size: number };
}

export type BindGroup = object;

export interface CommandEncoder {
  beginComputePass(): ComputePass;
  copyBufferToBuffer(from: GpuBuffer, fromOffset: number, to: GpuBuffer, toOffset: number, size: number): void;
  finish(): object;
}

export interface ComputePass {
  setPipeline(pipeline: ComputePipeline): void;
  setBindGroup(index: number, group: BindGroup): void;
  dispatchWorkgroups(x: number, y?: number, z?: number): void;
  end(): void;
}

/** Usage flags of buffers; constants of the specification. */
export const usage = { copySource: 0x4, copyTarget: 0x8, uniform: 0x40, storage: 0x80 } as const;
