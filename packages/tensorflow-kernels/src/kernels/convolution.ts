import type { ConvolutionGeometry, TrainingKernels } from '@localgrad/kernels';
import { pad, slice, type Tensor4D } from '@tensorflow/tfjs';
import type { OperationAttribute, OperationRunner } from '../native-backend.js';

type ConvolutionKernels = Pick<TrainingKernels, 'conv2d' | 'conv2dInputGradient' | 'conv2dFilterGradient'>;
type DepthwiseKernels = Pick<
  TrainingKernels,
  'depthwiseConv2d' | 'depthwiseConv2dInputGradient' | 'depthwiseConv2dFilterGradient'
>;

/**
 * Conv2D and its two gradients. Where TensorFlow has no name for the padding (stride 2, as in PyTorch), the images are
 * padded first: EXPLICIT padding bypasses oneDNN, which makes gradients two to three times slower, and in TensorFlow 2.15
 * on AVX-512 they wrote out of bounds.
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
    conv2dFilterGradient: filterGradient,
  };
}

/** The same for depthwise convolutions. */
export function depthwiseKernels(run: OperationRunner): DepthwiseKernels {
  const { forward, inputGradient, filterGradient } = operations(run, 'DepthwiseConv2dNative');
  return {
    depthwiseConv2d: forward,
    depthwiseConv2dInputGradient: inputGradient,
    depthwiseConv2dFilterGradient: filterGradient,
  };
}

interface Operations {
  readonly forward: ConvolutionKernels['conv2d'];
  readonly inputGradient: ConvolutionKernels['conv2dInputGradient'];
  readonly filterGradient: ConvolutionKernels['conv2dFilterGradient'];
}

function operations(run: OperationRunner, name: 'Conv2D' | 'DepthwiseConv2dNative'): Operations {
  const known = new Map<string, readonly OperationAttribute[]>();
  const attributes = (stride: number, padding: 'SAME' | 'VALID') => {
    const key = `${stride} ${padding}`;
    let found = known.get(key);
    if (found === undefined) {
      found = [
        run.type('T', 'float32'),
        run.attribute('strides', 'INT', [1, stride, stride, 1]),
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
        run.one<Tensor4D>(name, [image, filter], attributes(geometry.stride, padding)),
      ),
    filterGradient: (x, dy, filterShape, geometry) =>
      withPadding(x, filterShape, geometry, (image, padding) => {
        const inputs = [image, run.constants.integers(filterShape), dy];
        return run.one<Tensor4D>(`${name}BackpropFilter`, inputs, attributes(geometry.stride, padding));
      }),
    inputGradient(dy, filter, inputShape, geometry) {
      const [batch, height, width, channels] = inputShape;
      const padding = namedPadding(filter.shape, geometry);
      const border = padding === undefined ? geometry.padding : 0;
      const padded = [batch, height + 2 * border, width + 2 * border, channels];
      const inputs = [run.constants.integers(padded), filter, dy];
      const dx = run.one<Tensor4D>(`${name}BackpropInput`, inputs, attributes(geometry.stride, padding ?? 'VALID'));
      if (border === 0) return dx;
      const inside: Tensor4D = slice(dx, [0, border, border, 0], [...inputShape]);
      dx.dispose();
      return inside;
    },
  };
}

function namedPadding(
  [height, width]: readonly number[],
  { stride, padding }: ConvolutionGeometry,
): 'SAME' | 'VALID' | undefined {
  if (padding === 0) return 'VALID';
  return stride === 1 && height === 2 * padding + 1 && height === width ? 'SAME' : undefined;
}

function withPadding<Result>(
  x: Tensor4D,
  filterShape: readonly number[],
  geometry: ConvolutionGeometry,
  use: (image: Tensor4D, padding: 'SAME' | 'VALID') => Result,
): Result {
  const named = namedPadding(filterShape, geometry);
  if (named !== undefined) return use(x, named);
  const border: [number, number] = [geometry.padding, geometry.padding];
  const padded = pad(x, [[0, 0], border, border, [0, 0]]);
  const result = use(padded, 'VALID');
  padded.dispose();
  return result;
}
