import { type PoolingGeometry, stockKernels, type TrainingKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { onEachSide } from './padding.js';
import { rejectIntegers } from './rejected.js';

interface PoolingCall {
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: {
    readonly filterSize: number | [number, number];
    readonly strides: number | [number, number];
    readonly pad: 'valid' | 'same' | number;
    readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
  };
}

type PoolingKernel = (call: PoolingCall) => tf.TensorInfo;

/**
 * TensorFlow.js pooling and its gradients by the training kernels. The backend's own max-pool gradient is wrong if no value
 * of a window is positive, and its pooling ignores NaN.
 */
export function poolingKernels(kernels: TrainingKernels = stockKernels): Readonly<Record<string, PoolingKernel>> {
  return {
    MaxPool: (call) => {
      const x = floats(call.inputs.x);
      return kernels.maxPool(x, geometryOf(call, x));
    },
    MaxPoolGrad: (call) => {
      const x = floats(call.inputs.input);
      return kernels.maxPoolGradient(floats(call.inputs.dy), x, geometryOf(call, x));
    },
    AvgPool: (call) => {
      const x = floats(call.inputs.x);
      return kernels.averagePool(x, geometryOf(call, x));
    },
    AvgPoolGrad: (call) => {
      const x = floats(call.inputs.input);
      return kernels.averagePoolGradient(floats(call.inputs.dy), x.shape, geometryOf(call, x));
    },
  };
}

function floats(info: tf.TensorInfo | undefined): tf.Tensor4D {
  rejectIntegers('Pooling', info);
  return info as tf.Tensor4D;
}

function geometryOf({ attrs }: PoolingCall, x: tf.Tensor4D): PoolingGeometry {
  const { filterSize, strides, pad, dimRoundingMode } = attrs;
  const padding = onEachSide(pad) as typeof pad;
  const info = tf.backend_util.computePool2DInfo(x.shape, filterSize, strides, 1, padding, dimRoundingMode);
  const { top, left } = info.padInfo;
  const window = [info.filterHeight, info.filterWidth] as const;
  const stride = [info.strideHeight, info.strideWidth] as const;
  // The padding after the map follows from the size of the output, which depends on the rounding.
  const bottom = (info.outHeight - 1) * stride[0] + window[0] - info.inHeight - top;
  const right = (info.outWidth - 1) * stride[1] + window[1] - info.inWidth - left;
  return { window, stride, padding: { top, bottom, left, right } };
}
