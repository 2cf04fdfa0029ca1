import { backend_util, getKernel, type Tensor4D, type TensorInfo, util } from '@tensorflow/tfjs';
import { poolingGeometryOf } from '../pooling-geometry.js';
import type { StockKernel } from '../replace-stock-kernels.js';
import type { PoolingGeometry, TrainingKernels } from '../training-kernels.js';

type Pooling = Pick<TrainingKernels, 'maxPool' | 'maxPoolGradient' | 'averagePool' | 'averagePoolGradient'>;

interface PoolingCall {
  readonly inputs: Readonly<Record<'x' | 'dy' | 'input', Tensor4D>>;
  readonly attrs: {
    readonly filterSize: number | [number, number];
    readonly strides: number | [number, number];
    readonly pad: 'valid' | 'same' | number | backend_util.ExplicitPadding;
    readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
  };
}

type Compute = (call: PoolingCall, geometry: PoolingGeometry) => Tensor4D;

/**
 * Pooling of TensorFlow.js and its gradients, computed by training kernels, for `replaceStockKernels`. Those of most backends ignore NaN,
 * send the gradient of equal maxima to different cells, divide gradients of means by the size of windows that lie partly in the padding,
 * or reject a padding in pixels.
 */
export function poolingReplacements(backendName: string, kernels: Pooling): Readonly<Record<string, StockKernel>> {
  return {
    MaxPool: pooled(backendName, 'MaxPool', ({ inputs: { x } }, geometry) => kernels.maxPool(x, geometry)),
    MaxPoolGrad: pooled(backendName, 'MaxPoolGrad', ({ inputs: { dy, input } }, geometry) =>
      kernels.maxPoolGradient(dy, input, geometry),
    ),
    AvgPool: pooled(backendName, 'AvgPool', ({ inputs: { x } }, geometry) => kernels.averagePool(x, geometry)),
    AvgPoolGrad: pooled(backendName, 'AvgPoolGrad', ({ inputs: { dy, input } }, geometry) =>
      kernels.averagePoolGradient(dy, input.shape, geometry),
    ),
  };
}

/** The backend's own kernel remains for integers, and for maps that are empty or smaller than the windows. */
function pooled(backendName: string, name: string, compute: Compute): StockKernel {
  const stock = getKernel(name, backendName).kernelFunc as unknown as (call: PoolingCall) => TensorInfo;
  return (call: PoolingCall) => {
    const { x = call.inputs.input } = call.inputs;
    const { filterSize, strides, pad, dimRoundingMode } = call.attrs;
    if (x.dtype !== 'float32' || util.sizeFromShape(x.shape) === 0) return stock(call);
    const info = backend_util.computePool2DInfo(x.shape, filterSize, strides, 1, pad, dimRoundingMode);
    return info.outHeight < 1 || info.outWidth < 1 ? stock(call) : compute(call, poolingGeometryOf(info));
  };
}
