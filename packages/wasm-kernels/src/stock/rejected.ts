import { LocalgradError } from '@localgrad/core';
import type { StockKernel } from '@localgrad/kernels';
import type * as tf from '@tensorflow/tfjs';
import { fromStock } from './calls.js';

/** Kernels that would return wrong numbers, and which nothing here computes instead. */
export function rejectedKernels(): Record<string, StockKernel> {
  return {
    ...withoutGradient('conv3d', ['Conv3DBackpropFilterV2', 'Conv3DBackpropInputV2']),
    ...withoutGradient('dilation2d', ['Dilation2DBackpropFilter', 'Dilation2DBackpropInput']),
    ...fromStock(['FusedBatchNorm'], (stock) => (call) => {
      rejectIntegers('Batch norm', ...Object.values(call.inputs));
      return stock(call);
    }),
  };
}

function withoutGradient(operation: string, names: readonly string[]): Record<string, StockKernel> {
  return fromStock(names, () => () => {
    throw new LocalgradError(
      'misuse',
      `The gradient of ${operation} is wrong in the wasm backend of TensorFlow.js. Use another operation or backend.`,
    );
  });
}

/** @param what name of the operation, for the error @throws LocalgradError `misuse` for int32 and bool */
export function rejectIntegers(what: string, ...inputs: readonly (tf.TensorInfo | null | undefined)[]): void {
  const other = inputs.find((input) => input != null && input.dtype !== 'float32');
  if (other == null) return;
  throw new LocalgradError(
    'misuse',
    `${what} on wasm requires float32, but received ${other.dtype}. Cast the tensor first.`,
  );
}
