import { type PoolingGeometry, poolingGeometryOf, stockKernels, type TrainingKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { requireWindows } from './geometry.js';
import { onEachSide } from './padding.js';
import { rejectIntegers } from './rejected.js';

interface PoolingCall {
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: {
    readonly filterSize: number | [number, number];
    readonly strides: number | [number, number];
    readonly pad: 'valid' | 'same' | number;
    readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
    readonly includeBatchInIndex?: boolean;
  };
}

type PoolingKernel = (call: PoolingCall) => tf.TensorInfo | tf.TensorInfo[];

/**
 * TensorFlow.js pooling and its gradients by the training kernels. The backend's own max-pool gradient, and max pooling with its indices,
 * are wrong if no value of a window is positive, and its pooling ignores NaN.
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
    MaxPoolWithArgmax: (call) => maximaWithPlaces(kernels, call),
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
  requireWindows('Pooling', info);
  return poolingGeometryOf(info);
}

/** The maxima of windows, and where their first one, or last NaN, stands: its index in the image or, on demand, in the batch. */
function maximaWithPlaces(kernels: TrainingKernels, call: PoolingCall): tf.TensorInfo[] {
  const x = floats(call.inputs.x);
  const geometry = geometryOf(call, x);
  const maxima = kernels.maxPool(x, geometry);
  const [, outHeight, outWidth] = maxima.shape;
  const [, height, width, channels] = x.shape;
  const values = tf.backend().readSync(x.dataId) as Float32Array;
  const places = new Int32Array(tf.util.sizeFromShape(maxima.shape));
  const imageSize = height * width * channels;
  const { window, stride, padding } = geometry;
  for (let at = 0; at < places.length; at++) {
    const channel = at % channels;
    const cell = Math.floor(at / channels);
    const image = Math.floor(cell / (outHeight * outWidth)) * imageSize;
    const top = (Math.floor(cell / outWidth) % outHeight) * stride[0] - padding.top;
    const left = (cell % outWidth) * stride[1] - padding.left;
    let best: number | undefined;
    for (let row = Math.max(0, top); row < Math.min(height, top + window[0]); row++) {
      for (let column = Math.max(0, left); column < Math.min(width, left + window[1]); column++) {
        const place = image + (row * width + column) * channels + channel;
        const value = values[place] as number;
        if (best === undefined || value > (values[best] as number) || Number.isNaN(value)) best = place;
      }
    }
    places[at] = (best ?? 0) - (call.attrs.includeBatchInIndex === true ? 0 : image);
  }
  return [maxima, tf.tensor(places, maxima.shape, 'int32')];
}
