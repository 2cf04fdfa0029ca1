import { at, get, LocalgradError } from '@localgrad/core';
import type { NamedTensors } from '@localgrad/kernels';
import type { DataType, Tensor } from '@tensorflow/tfjs';
import { alignedLength, type FlatStorage } from '../flat-storage.js';
import type { BindGroup, CommandEncoder, ComputePipeline } from '../gpu.js';
import { dataOf, type WebGpuBackend } from '../program.js';
import { type Arena, flush } from './arena.js';
import { RecordingBuffers } from './buffers.js';
import type { NumberLink } from './compare.js';
import { withoutCopies } from './copies.js';
import { copyPipeline, copyWorkgroups } from './copy-program.js';
import { Refresh } from './refresh.js';
import type { Operation, StepTrace } from './trace.js';
import { UniformBuffer } from './uniform-buffer.js';

interface Command {
  readonly pipeline: ComputePipeline;
  readonly group: BindGroup;
  readonly workgroups: readonly [number, number, number];
}

interface Places {
  readonly backend: WebGpuBackend;
  readonly storage: FlatStorage;
  readonly arena: Arena;
}

/** The commands and buffers of a recorded step. */
export class Recording {
  readonly trace: StepTrace;
  readonly buffers: RecordingBuffers;
  readonly #places: Places;
  readonly #links: readonly NumberLink[];
  readonly #uniforms: UniformBuffer;
  readonly #commands: readonly Command[];
  readonly #resultLength: number;
  /** Last values of the named numbers in uploaded tensors. */
  readonly #filled = new Map<number, number>();

  /** @throws NotRecordable */
  constructor(places: Places, trace: StepTrace, links: readonly NumberLink[]) {
    const { backend, arena } = places;
    const lean = withoutCopies(trace);
    this.trace = trace;
    this.#places = places;
    this.#links = links;
    this.buffers = new RecordingBuffers(backend, arena, trace, lean);
    const linked = links.flatMap(({ target }) => ('operation' in target ? [target.operation] : []));
    const updated = trace.updates.flat().map(({ operation }) => operation);
    this.#uniforms = new UniformBuffer(backend.device, lean, new Set([...linked, ...updated]));
    this.#commands = lean.operations.flatMap((operation, index) =>
      operation === undefined ? [] : [this.#command(operation, index)],
    );
    this.#resultLength = [...trace.outputs.values()].reduce((sum, { bytes }) => sum + alignedLength(bytes / 4), 0);
  }

  get dispatches(): number {
    return this.#commands.length;
  }

  /** Whether a step can be replayed: its state is where the recording left it, and its constants exist. */
  isCurrent(state: readonly Tensor[]): boolean {
    const { storage, backend } = this.#places;
    const { after, usedState } = this.trace;
    const used = state.filter((_, index) => usedState[index]);
    return (
      state.length === usedState.length &&
      used.every((tensor, index) => {
        const { root, offset } = at(after, index, 'state');
        const view = storage.viewOf(tensor);
        return view === undefined
          ? tensor.dataId === root
          : view.flat.whole.dataId === root && 4 * view.offset === offset;
      }) &&
      this.buffers.constants.every((root) => (dataOf(backend, root)?.refCount ?? 0) > 0)
    );
  }

  /** Submits one step. The caller owns the results. */
  replay(inputs: NamedTensors, state: readonly Tensor[], numbers: Readonly<Record<string, number>>): NamedTensors {
    const { backend, storage } = this.#places;
    const { trace, buffers } = this;
    flush(backend);
    const encoder = backend.device.createCommandEncoder();
    for (const [name, place] of trace.inputs) {
      this.#writeInput(encoder, name, inputs[name], place.root);
    }
    for (const [root, { compute }] of trace.uploads) {
      if (compute !== undefined) this.#write(root, compute());
    }
    this.#setNumbers(numbers);
    this.#uniforms.write();
    const pass = encoder.beginComputePass();
    let current: ComputePipeline | undefined;
    for (const { pipeline, group, workgroups } of this.#commands) {
      if (pipeline !== current) pass.setPipeline(pipeline);
      current = pipeline;
      pass.setBindGroup(0, group);
      const [x, y, z] = workgroups;
      // Each argument costs.
      if (y === 1 && z === 1) pass.dispatchWorkgroups(x);
      else pass.dispatchWorkgroups(x, y, z);
    }
    pass.end();
    const flat = storage.create(Math.max(1, this.#resultLength));
    let offset = 0;
    const results = [...trace.outputs].map(([name, place]) => {
      const { buffer, offset: from } = buffers.partOf(place);
      encoder.copyBufferToBuffer(buffer, from, flat.buffer, 4 * offset, place.bytes);
      const result = storage.view(flat, offset, place.shape, place.dtype);
      offset += alignedLength(place.bytes / 4);
      return [name, result] as const;
    });
    for (const { from, to, bytes } of buffers.moves) encoder.copyBufferToBuffer(from, 0, to, 0, bytes);
    backend.device.queue.submit([encoder.finish()]);
    // Values cached by earlier reads are outdated.
    for (const { dataId } of state) {
      const data = dataOf(backend, dataId);
      if (data !== undefined) data.values = null;
    }
    return Object.fromEntries(results);
  }

  /** Takes the numbers of updates anew. @returns stops taking */
  refresh(): Refresh {
    return new Refresh(this.trace.updates, (operation, offset, value) => this.#uniforms.set(operation, offset, value));
  }

  dispose(): void {
    this.buffers.dispose();
    this.#uniforms.buffer.destroy();
  }

  #command(operation: Operation, index: number): Command {
    const { device } = this.#places.backend;
    const isCopy = operation.kind === 'copy';
    const places = isCopy ? [operation.to, operation.from] : operation.places;
    const entries = places.map((place, binding) => {
      const { buffer, offset } = this.buffers.partOf(place);
      return { binding, resource: { buffer, offset, size: place.bytes } };
    });
    if (!isCopy) {
      const resource = { buffer: this.#uniforms.buffer, ...this.#uniforms.placeOf(index) };
      entries.push({ binding: places.length, resource });
    }
    const pipeline = isCopy ? copyPipeline(device) : operation.pipeline;
    const workgroups = isCopy ? copyWorkgroups(device, operation.from.bytes) : operation.workgroups;
    return { pipeline, workgroups, group: device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }) };
  }

  #writeInput(encoder: CommandEncoder, name: string, tensor: Tensor | undefined, root: object): void {
    const { backend, storage } = this.#places;
    const bytes = get(this.trace.bytes, root, 'buffer');
    if (tensor === undefined || Math.max(4, 4 * tensor.size) !== bytes) {
      throw new LocalgradError(
        'shape-mismatch',
        `The input '${name}' of a recorded step has ${tensor?.size ?? 0} values instead of ${bytes / 4}: record another step for other shapes.`,
      );
    }
    const data = dataOf(backend, tensor.dataId);
    if (data?.resource == null) {
      this.#write(root, typedValues(tensor.dtype, data?.values ?? []));
      return;
    }
    const from = 4 * (storage.viewOf(tensor)?.offset ?? 0);
    encoder.copyBufferToBuffer(data.resource, from, this.#partOfRoot(root), 0, bytes);
  }

  #partOfRoot(root: object) {
    return this.buffers.partOf({ root, offset: 0, bytes: 0 }).buffer;
  }

  #write(root: object, values: Float32Array | Int32Array): void {
    const { buffer, offset } = this.buffers.partOf({ root, offset: 0, bytes: values.byteLength });
    this.#places.backend.device.queue.writeBuffer(buffer, offset, values);
  }

  #setNumbers(numbers: Readonly<Record<string, number>>): void {
    for (const { name, target } of this.#links) {
      const value = numbers[name];
      if (value === undefined) continue;
      if ('operation' in target) this.#uniforms.set(target.operation, target.offset, value);
      else if (this.#filled.get(target.upload) !== value) {
        this.#filled.set(target.upload, value);
        const [root, { values }] = at([...this.trace.uploads], target.upload, 'upload');
        this.#write(root, new Float32Array(values.length).fill(value));
      }
    }
  }
}

/** Values as the device stores them. */
function typedValues(dtype: DataType, values: ArrayLike<number>): Float32Array | Int32Array {
  const Type = dtype === 'float32' ? Float32Array : Int32Array;
  return values instanceof Type ? values : Type.from(values);
}
