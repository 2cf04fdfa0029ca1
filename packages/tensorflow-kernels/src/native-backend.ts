import { at } from '@localgrad/core';
import type { DataType, KernelBackend, Tensor } from '@tensorflow/tfjs';
import { Constants } from './constants.js';

/** One attribute of a TensorFlow operation, in the format of the native binding. */
export interface OperationAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** Handle of TensorFlow: of numbers, or of a resource variable. */
export type Handle = number;

/** Values of a tensor on the host. */
export type NativeValues = Float32Array | Int32Array | Uint8Array | readonly string[];

/** The native binding: constants, and operations on handles. */
export type NativeBinding = Readonly<Record<TypeName | `TF_ATTR_${AttributeKind}`, number>> & {
  readonly TF_Version: string;
  createTensor(shape: readonly number[], type: number, values: NativeValues): Handle;
  deleteTensor(handle: Handle): void;
  executeOp(
    name: string,
    attributes: readonly OperationAttribute[],
    inputs: readonly Handle[],
    outputs: number,
  ): readonly NativeOutput[];
};

/** An output of an operation. */
export interface NativeOutput {
  readonly id: Handle;
}

/** Where the backend stores a tensor's numbers. */
export interface NativeData {
  id: Handle;
  /** Number of tensors of TensorFlow.js that share the numbers. */
  readonly refCount: number;
}

/** The parts of the TensorFlow.js Node backend that kernels use; it executes any TensorFlow operation eagerly. */
export interface NativeBackend extends KernelBackend {
  readonly isGPUPackage: boolean;
  readonly isUsingGpuDevice: boolean;
  binding: NativeBinding;
  readonly tensorMap: { get(dataId: object): NativeData | undefined; set(dataId: object, data: NativeData): void };
  disposeData(dataId: object, force?: boolean): boolean;
  /** Makes a tensor of an output. */
  createOutputTensor(output: NativeOutput): Tensor;
  /** Uploads tensors whose numbers are still on the host. */
  getInputTensorIds(tensors: readonly Tensor[]): Handle[];
}

type TypeName = 'TF_FLOAT' | 'TF_INT32' | 'TF_BOOL' | 'TF_COMPLEX64' | 'TF_STRING';
type AttributeKind = 'TYPE' | 'INT' | 'FLOAT' | 'BOOL' | 'STRING' | 'SHAPE';

/** An input of an operation. */
export type Operand = Tensor | Handle;

/** Runs operations of TensorFlow by name. */
export class OperationRunner {
  readonly backend: NativeBackend;
  readonly constants: Constants;

  constructor(backend: NativeBackend) {
    this.backend = backend;
    this.constants = new Constants(backend);
  }

  attribute(name: string, kind: AttributeKind, value: unknown): OperationAttribute {
    return { name, type: this.backend.binding[`TF_ATTR_${kind}`], value };
  }

  type(name: string, dtype: DataType): OperationAttribute {
    const types: Readonly<Record<DataType, TypeName>> = {
      float32: 'TF_FLOAT',
      int32: 'TF_INT32',
      bool: 'TF_BOOL',
      complex64: 'TF_COMPLEX64',
      string: 'TF_STRING',
    };
    return this.attribute(name, 'TYPE', this.backend.binding[types[dtype]]);
  }

  one<Result extends Tensor>(
    name: string,
    inputs: readonly Operand[],
    attributes: readonly OperationAttribute[],
  ): Result {
    return this.many<[Result]>(name, inputs, attributes, 1)[0];
  }

  /** For operations with one type attribute `T`, float32. */
  float<Result extends Tensor>(name: string, ...inputs: readonly Operand[]): Result {
    return this.one<Result>(name, inputs, [this.type('T', 'float32')]);
  }

  /** tensor · factor */
  scaled<T extends Tensor>(tensor: T, factor: number): T {
    return this.float<T>('Mul', tensor, this.constants.scalar(factor));
  }

  /** @returns the operation's outputs, whose ranks `Results` states */
  many<Results extends readonly Tensor[] = Tensor[]>(
    name: string,
    inputs: readonly Operand[],
    attributes: readonly OperationAttribute[],
    outputs: number,
  ): Results {
    const { backend } = this;
    const results = backend.binding.executeOp(name, attributes, this.#handles(inputs), outputs);
    return results.map((output) => backend.createOutputTensor(output)) as readonly Tensor[] as Results;
  }

  /** Runs an operation without outputs. */
  none(name: string, inputs: readonly Operand[], attributes: readonly OperationAttribute[]): void {
    this.backend.binding.executeOp(name, attributes, this.#handles(inputs), 0);
  }

  /** Runs an operation whose output is no tensor of TensorFlow.js. */
  handle(name: string, inputs: readonly Operand[], attributes: readonly OperationAttribute[]): Handle {
    return at(this.backend.binding.executeOp(name, attributes, this.#handles(inputs), 1), 0, 'output').id;
  }

  /** Where a tensor's numbers are. */
  dataOf({ dataId }: Tensor): NativeData {
    const data = this.backend.tensorMap.get(dataId);
    if (data === undefined) throw new Error('The backend has lost a tensor.');
    return data;
  }

  #handles(inputs: readonly Operand[]): Handle[] {
    const handleOf = (tensor: Tensor) => at(this.backend.getInputTensorIds([tensor]), 0, 'handle');
    return inputs.map((input) => (typeof input === 'number' ? input : handleOf(input)));
  }
}
