import type { Tensor } from '@tensorflow/tfjs';
import type { ComputePipeline } from '../gpu.js';
import type { UniformBlock } from './uniforms.js';

/** Part of a buffer. `root` is the data ID that the buffer belongs to: of a tensor, or of the flat buffer of a view. */
export interface Place {
  readonly root: object;
  /** In bytes. */
  readonly offset: number;
  readonly bytes: number;
}

export interface Dispatch {
  readonly kind: 'dispatch';
  readonly key: string;
  readonly pipeline: ComputePipeline;
  readonly workgroups: readonly [number, number, number];
  /** In the order of bindings: first those that it writes. */
  readonly places: readonly Place[];
  readonly written: number;
  readonly uniforms: UniformBlock;
}

export interface Copy {
  readonly kind: 'copy';
  readonly from: Place;
  readonly to: Place;
}

export type Operation = Dispatch | Copy;

/** Values that the host uploaded during a step. */
export interface Upload {
  readonly values: Float32Array | Int32Array;
  /** Computes them for another step. */
  readonly compute?: (() => Float32Array) | undefined;
}

/** Requests of a kernel that were updated by one dispatch. */
export interface UpdateGroup {
  readonly indices: readonly number[];
  /** Index of the operation. */
  readonly operation: number;
  /** Byte offset of each number in the operation's uniforms. */
  readonly numbers: ReadonlyMap<string, number>;
}

/** What one step asked of the device. */
export interface StepTrace {
  readonly operations: readonly Operation[];
  readonly uploads: ReadonlyMap<object, Upload>;
  /** Bytes of each buffer. */
  readonly bytes: ReadonlyMap<object, number>;
  /** Buffers of tensors that the step created. */
  readonly created: ReadonlySet<object>;
  readonly inputs: ReadonlyMap<string, Place>;
  readonly outputs: ReadonlyMap<string, Place & Pick<Tensor, 'shape' | 'dtype'>>;
  /** Places, before and after the step, of the state that its operations use. */
  readonly before: readonly Place[];
  readonly after: readonly Place[];
  /** For each tensor of the state, whether the operations use it. */
  readonly usedState: readonly boolean[];
  readonly numbers: Readonly<Record<string, number>>;
  /** Code to be repeated before each replay, and the groups of its kernel calls, in order. */
  readonly repeated: readonly (() => void)[];
  readonly updates: readonly (readonly UpdateGroup[])[];
  /** Why the step cannot be recorded. */
  readonly problem: string | undefined;
}

/** The parts of buffers that an operation uses. */
export function placesOf(operation: Operation): readonly Place[] {
  return operation.kind === 'copy' ? [operation.to, operation.from] : operation.places;
}
