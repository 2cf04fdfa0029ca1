import type { backend_util } from '@tensorflow/tfjs';
import type { PoolingGeometry } from './geometry.js';

/** The geometry of a TensorFlow.js pooling operation. */
export function poolingGeometryOf(info: backend_util.Conv2DInfo): PoolingGeometry {
  const { top, left } = info.padInfo;
  const window = [info.filterHeight, info.filterWidth] as const;
  const stride = [info.strideHeight, info.strideWidth] as const;
  // The padding after the map follows from the size of the output, which depends on the rounding.
  const bottom = (info.outHeight - 1) * stride[0] + window[0] - info.inHeight - top;
  const right = (info.outWidth - 1) * stride[1] + window[1] - info.inWidth - left;
  return { window, stride, padding: { top, bottom, left, right } };
}
