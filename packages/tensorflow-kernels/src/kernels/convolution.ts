import { bothAxes, type ConvolutionGeometry, stockKernels, type TrainingKernels } from '@localgrad/kernels';
import { pad, slice, stridedSlice, type Tensor4D } from '@tensorflow/tfjs';
import type { OperationAttribute, OperationRunner } from '../native-backend.js';

type ConvolutionKernels = Pick<TrainingKernels, 'conv2d' | 'conv2dInputGradient' | 'conv2dFilterGradient'>;
type DepthwiseKernels = Pick<
  TrainingKernels,
  'depthwiseConv2d' | 'depthwiseConv2dInputGradient' | 'depthwiseConv2dFilterGradient'
>;

/**
 * Conv2D and its two gradients. Where TensorFlow has no name for the padding (stride 2, as in PyTorch), the images are
 * padded first: EXPLICIT padding bypasses oneDNN, which makes gradients two to three times slower, and in TensorFlow 2.15
 * on AVX-512 they wrote out of bounds. The filter gradient of a 1×1 convolution reads only the pixels under the strides, and
 * gets only these: with strides and fewer than 8 channels, oneDNN's is wrong (TensorFlow 2.15, AVX2).
 */
export function convolutionKernels(run: OperationRunner): ConvolutionKernels {
  const { forward, inputGradient, filterGradient } = operations(run, 'Conv2D');
  return {
    conv2d: forward,
    conv2dInputGradient(dy, filter, inputShape, geometry, added) {
      const dx = inputGradient(dy, filter, inputShape, geometry);
      if (added === undefined) return dx;
      const sum = run.float<Tensor4D>('AddV2', dx, added);
      dx.dispose();
      return sum;
    },
    conv2dFilterGradient(x, dy, filterShape, geometry) {
      const strides = bothAxes(geometry.stride);
      const isPoint = filterShape[0] === 1 && filterShape[1] === 1 && strides.some((step) => step > 1);
      if (!isPoint) return filterGradient(x, dy, filterShape, geometry);
      return withPadding(x, filterShape, geometry, (image) => {
        const [down, right] = strides;
        const points = stridedSlice(image, [0, 0, 0, 0], image.shape, [1, down, right, 1]) as Tensor4D;
        const gradient = filterGradient(points, dy, filterShape, { stride: 1, padding: 0 });
        points.dispose();
        return gradient;
      });
    },
  };
}

/** The same for depthwise convolutions, which TensorFlow only has with equal strides of both axes. */
export function depthwiseKernels(run: OperationRunner): DepthwiseKernels {
  const { forward, inputGradient, filterGradient } = operations(run, 'DepthwiseConv2dNative');
  return {
    depthwiseConv2d: (x, filter, geometry) =>
      (isUniform(geometry) ? forward : stockKernels.depthwiseConv2d)(x, filter, geometry),
    depthwiseConv2dInputGradient: (dy, filter, inputShape, geometry) =>
      (isUniform(geometry) ? inputGradient : stockKernels.depthwiseConv2dInputGradient)(
        dy,
        filter,
        inputShape,
        geometry,
      ),
    depthwiseConv2dFilterGradient: (x, dy, filterShape, geometry) =>
      (isUniform(geometry) ? filterGradient : stockKernels.depthwiseConv2dFilterGradient)(x, dy, filterShape, geometry),
  };
}

interface Operations {
  readonly forward: ConvolutionKernels['conv2d'];
  readonly inputGradient: ConvolutionKernels['conv2dInputGradient'];
  readonly filterGradient: ConvolutionKernels['conv2dFilterGradient'];
}

function operations(run: OperationRunner, name: 'Conv2D' | 'DepthwiseConv2dNative'): Operations {
  const known = new Map<string, readonly OperationAttribute[]>();
  const attributes = ({ stride }: ConvolutionGeometry, padding: 'SAME' | 'VALID') => {
    const [down, right] = bothAxes(stride);
    const key = `${down} ${right} ${padding}`;
    let found = known.get(key);
    if (found === undefined) {
      found = [
        run.type('T', 'float32'),
        run.attribute('strides', 'INT', [1, down, right, 1]),
        run.attribute('padding', 'STRING', padding),
        run.attribute('dilations', 'INT', [1, 1, 1, 1]),
        run.attribute('data_format', 'STRING', 'NHWC'),
        ...(name === 'Conv2D' ? [run.attribute('use_cudnn_on_gpu', 'BOOL', true)] : []),
      ];
      known.set(key, found);
    }
    return found;
  };
  return {
    forward: (x, filter, geometry) =>
      withPadding(x, filter.shape, geometry, (image, padding) =>
        run.one<Tensor4D>(name, [image, filter], attributes(geometry, padding)),
      ),
    filterGradient: (x, dy, filterShape, geometry) =>
      withPadding(x, filterShape, geometry, (image, padding) => {
        const inputs = [image, run.constants.integers(filterShape), dy];
        return run.one<Tensor4D>(`${name}BackpropFilter`, inputs, attributes(geometry, padding));
      }),
    inputGradient(dy, filter, inputShape, geometry) {
      const [batch, height, width, channels] = inputShape;
      const padding = namedPadding(filter.shape, geometry);
      const [vertical, horizontal] = padding === undefined ? bothAxes(geometry.padding) : [0, 0];
      const padded = [batch, height + 2 * vertical, width + 2 * horizontal, channels];
      const inputs = [run.constants.integers(padded), filter, dy];
      const dx = run.one<Tensor4D>(`${name}BackpropInput`, inputs, attributes(geometry, padding ?? 'VALID'));
      if (vertical === 0 && horizontal === 0) return dx;
      const inside: Tensor4D = slice(dx, [0, vertical, horizontal, 0], [...inputShape]);
      dx.dispose();
      return inside;
    },
  };
}

function namedPadding(
  [height, width]: readonly number[],
  { stride, padding }: ConvolutionGeometry,
): 'SAME' | 'VALID' | undefined {
  const [vertical, horizontal] = bothAxes(padding);
  if (vertical === 0 && horizontal === 0) return 'VALID';
  const isDense = bothAxes(stride).every((step) => step === 1);
  return isDense && height === 2 * vertical + 1 && width === 2 * horizontal + 1 ? 'SAME' : undefined;
}

function isUniform({ stride }: ConvolutionGeometry): boolean {
  const [down, right] = bothAxes(stride);
  return down === right;
}

function withPadding<Result>(
  x: Tensor4D,
  filterShape: readonly number[],
  geometry: ConvolutionGeometry,
  use: (image: Tensor4D, padding: 'SAME' | 'VALID') => Result,
): Result {
  const named = namedPadding(filterShape, geometry);
  if (named !== undefined) return use(x, named);
  const [vertical, horizontal] = bothAxes(geometry.padding);
  const padded = pad(x, [
    [0, 0],
    [vertical, vertical],
    [horizontal, horizontal],
    [0, 0],
  ]);
  const result = use(padded, 'VALID');
  padded.dispose();
  return result;
}
