import type { DataType, KernelBackend, Tensor } from '@tensorflow/tfjs';

/** One attribute of a TensorFlow operation, in the format of the native binding. */
export interface OperationAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** The parts of the TensorFlow.js Node backend that kernels use; it executes any TensorFlow operation eagerly. */
export interface NativeBackend extends KernelBackend {
  readonly isGPUPackage: boolean;
  readonly isUsingGpuDevice: boolean;
  readonly binding: Record<string, number> & { readonly TF_Version: string };
  executeSingleOutput(name: string, attributes: readonly OperationAttribute[], inputs: readonly Tensor[]): Tensor;
  executeMultipleOutputs(
    name: string,
    attributes: readonly OperationAttribute[],
    inputs: readonly Tensor[],
    outputs: number,
  ): Tensor[];
}

type AttributeKind = 'TYPE' | 'INT' | 'FLOAT' | 'BOOL' | 'STRING';

/** Runs operations of TensorFlow by name on tensors of the backend. */
export class OperationRunner {
  readonly backend: NativeBackend;

  constructor(backend: NativeBackend) {
    this.backend = backend;
  }

  attribute(name: string, kind: AttributeKind, value: unknown): OperationAttribute {
    return { name, type: this.backend.binding[`TF_ATTR_${kind}`] as number, value };
  }

  type(name: string, dtype: DataType): OperationAttribute {
    const types = {
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
    inputs: readonly Tensor[],
    attributes: readonly OperationAttribute[],
  ): Result {
    return this.backend.executeSingleOutput(name, attributes, inputs) as Result;
  }

  /** For operations with one type attribute `T`, float32. */
  float<Result extends Tensor>(name: string, ...inputs: readonly Tensor[]): Result {
    return this.one<Result>(name, inputs, [this.type('T', 'float32')]);
  }

  /** @returns the operation's outputs, whose ranks `Results` states */
  many<Results extends readonly Tensor[] = Tensor[]>(
    name: string,
    inputs: readonly Tensor[],
    attributes: readonly OperationAttribute[],
    outputs: number,
  ): Results {
    return this.backend.executeMultipleOutputs(name, attributes, inputs, outputs) as unknown as Results;
  }
}
