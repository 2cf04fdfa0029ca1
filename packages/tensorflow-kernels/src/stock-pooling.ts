import { type PoolingGeometry, poolingGeometryOf, type StockKernel, type TrainingKernels } from '@localgrad/kernels';
import { backend_util, type Tensor4D } from '@tensorflow/tfjs';
import { forPixels, type StockCall } from './stock-calls.js';

type Attributes = { readonly filterSize: number | [number, number] };
type Call<Inputs extends string> = StockCall<Inputs, Attributes>;

/** Pooling of TensorFlow.js with a padding in pixels, which the native backend rejects. */
export function stockPooling(kernels: TrainingKernels): Record<string, StockKernel> {
  return {
    ...pooled<'x'>('MaxPool', ({ x }, geometry) => kernels.maxPool(x, geometry), 'x'),
    ...pooled<'dy' | 'input'>(
      'MaxPoolGrad',
      ({ dy, input }, geometry) => kernels.maxPoolGradient(dy, input, geometry),
      'input',
    ),
    ...pooled<'x'>('AvgPool', ({ x }, geometry) => kernels.averagePool(x, geometry), 'x'),
    ...pooled<'dy' | 'input'>(
      'AvgPoolGrad',
      ({ dy, input }, geometry) => kernels.averagePoolGradient(dy, input.shape, geometry),
      'input',
    ),
  };
}

/** @param image name of the input with the feature maps; a kernel of this package pools float32 alone */
function pooled<Inputs extends string>(
  name: string,
  pool: (inputs: Call<Inputs>['inputs'], geometry: PoolingGeometry) => Tensor4D,
  image: Inputs,
): Record<string, StockKernel> {
  return forPixels<Call<Inputs>>([name], (stock) => (call) => {
    const maps = call.inputs[image];
    const { filterSize, strides, pad, dimRoundingMode } = call.attrs;
    const info = backend_util.computePool2DInfo(maps.shape, filterSize, strides, 1, pad, dimRoundingMode);
    const isEmpty = info.outHeight < 1 || info.outWidth < 1;
    return isEmpty || maps.dtype !== 'float32' ? stock(call) : pool(call.inputs, poolingGeometryOf(info));
  });
}
