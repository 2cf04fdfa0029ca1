import { type PoolingGeometry, poolingGeometryOf, type StockKernel } from '@localgrad/kernels';
import { backend_util, getKernel, type Tensor4D, type TensorInfo, util } from '@tensorflow/tfjs';
import { maxPool } from './kernels/pooling.js';
import type { WebGpuBackend } from './program.js';

interface Call {
  readonly inputs: { readonly x: TensorInfo };
  readonly attrs: {
    readonly filterSize: number | [number, number];
    readonly strides: number | [number, number];
    readonly pad: 'valid' | 'same' | number;
    readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
  };
}

/**
 * Max pooling. The shader of TensorFlow.js takes −10²⁰ for the smallest number, which remains where a window lies in the padding, ignores
 * NaN, and returns windows of one cell without their padding.
 */
export function poolingKernels(backend: WebGpuBackend): Readonly<Record<string, StockKernel>> {
  const stock = getKernel('MaxPool', 'webgpu').kernelFunc as unknown as (call: Call) => TensorInfo;
  return {
    MaxPool: (call: Call) => {
      const x = call.inputs.x as Tensor4D;
      const geometry = geometryOf(call, x.shape);
      const isEmpty = geometry === undefined || util.sizeFromShape(x.shape) === 0;
      return isEmpty || x.dtype !== 'float32' ? stock(call) : maxPool(backend, x, geometry);
    },
  };
}

/** The geometry in the form of the training kernels; undefined if no window fits. */
function geometryOf({ attrs }: Call, shape: Tensor4D['shape']): PoolingGeometry | undefined {
  const { filterSize, strides, pad, dimRoundingMode } = attrs;
  const info = backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode);
  if (info.outHeight < 1 || info.outWidth < 1) return undefined;
  return poolingGeometryOf(info);
}
