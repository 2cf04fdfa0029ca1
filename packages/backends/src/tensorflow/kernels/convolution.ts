import type { ConvolutionGeometry, TrainingKernels } from '@localgrad/nn';
import { type Tensor4D, tensor1d } from '@tensorflow/tfjs';
import type { OperationAttribute, OperationRunner } from '../native-backend.js';

type ConvolutionKernels = Pick<TrainingKernels, 'conv2d' | 'conv2dInputGradient' | 'conv2dFilterGradient'>;

/** Conv2D and its two gradients. TensorFlow.js' own take no explicit padding, which stride 2 needs to be PyTorch's. */
export function convolutionKernels(run: OperationRunner): ConvolutionKernels {
  // The gradients are two to three times faster with the paddings that TensorFlow has a name for.
  const paddingOf = (stride: number, padding: number, size: number | undefined) => {
    if (padding === 0) return [run.attribute('padding', 'STRING', 'VALID')];
    if (stride === 1 && size === 2 * padding + 1) return [run.attribute('padding', 'STRING', 'SAME')];
    return [
      run.attribute('padding', 'STRING', 'EXPLICIT'),
      run.attribute('explicit_paddings', 'INT', [0, 0, padding, padding, padding, padding, 0, 0]),
    ];
  };
  const known = new Map<string, readonly OperationAttribute[]>();
  const attributes = ({ stride, padding }: ConvolutionGeometry, [height, width]: readonly number[]) => {
    const key = `${stride}:${padding}:${height}x${width}`;
    let found = known.get(key);
    if (found === undefined) {
      found = [
        run.type('T', 'float32'),
        run.attribute('strides', 'INT', [1, stride, stride, 1]),
        ...paddingOf(stride, padding, height === width ? height : undefined),
        run.attribute('dilations', 'INT', [1, 1, 1, 1]),
        run.attribute('data_format', 'STRING', 'NHWC'),
        run.attribute('use_cudnn_on_gpu', 'BOOL', true),
      ];
      known.set(key, found);
    }
    return found;
  };
  return {
    conv2d: (x, filter, geometry) => run.one('Conv2D', [x, filter], attributes(geometry, filter.shape)),
    conv2dInputGradient(dy, filter, inputShape, geometry) {
      const shape = tensor1d([...inputShape], 'int32');
      const dx = run.one<Tensor4D>('Conv2DBackpropInput', [shape, filter, dy], attributes(geometry, filter.shape));
      shape.dispose();
      return dx;
    },
    conv2dFilterGradient(x, dy, filterShape, geometry) {
      const shape = tensor1d([...filterShape], 'int32');
      const gradient = run.one<Tensor4D>('Conv2DBackpropFilter', [x, shape, dy], attributes(geometry, filterShape));
      shape.dispose();
      return gradient;
    },
  };
}
