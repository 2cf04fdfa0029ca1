import * as tf from '@tensorflow/tfjs';
import type { ConvolutionGeometry, Shape4, TrainingKernels } from '../training-kernels.js';

type Convolutions = Pick<TrainingKernels, 'conv2d' | 'conv2dInputGradient' | 'conv2dFilterGradient'>;
/** Convolutions in groups and their gradients. */
export type GroupedConvolutions = Pick<
  TrainingKernels,
  'groupedConv2d' | 'groupedConv2dInputGradient' | 'groupedConv2dFilterGradient'
>;

/** Grouped convolutions from one ordinary convolution per group. */
export function groupByGroup({ conv2d, conv2dInputGradient, conv2dFilterGradient }: Convolutions): GroupedConvolutions {
  return {
    groupedConv2d: (x: tf.Tensor4D, filter: tf.Tensor4D, groups: number, geometry: ConvolutionGeometry) =>
      byGroup(groups, (part) => conv2d(part(x), part(filter), geometry)),
    groupedConv2dInputGradient(
      dy: tf.Tensor4D,
      filter: tf.Tensor4D,
      groups: number,
      [batch, height, width, channels]: Shape4,
      geometry: ConvolutionGeometry,
    ) {
      const shape: Shape4 = [batch, height, width, channels / groups];
      return byGroup(groups, (part) => conv2dInputGradient(part(dy), part(filter), shape, geometry));
    },
    groupedConv2dFilterGradient(
      x: tf.Tensor4D,
      dy: tf.Tensor4D,
      groups: number,
      [height, width, inputs, outputs]: Shape4,
      geometry: ConvolutionGeometry,
    ) {
      const shape: Shape4 = [height, width, inputs, outputs / groups];
      return byGroup(groups, (part) => conv2dFilterGradient(part(x), part(dy), shape, geometry));
    },
  };
}

/** Concatenates the groups' results along the channels. `part` copies a tensor's channels of the group. */
function byGroup(groups: number, run: (part: (x: tf.Tensor4D) => tf.Tensor4D) => tf.Tensor4D): tf.Tensor4D {
  const parts = Array.from({ length: groups }, (_, group) =>
    tf.tidy(() =>
      run((x) => {
        const [a, b, c, channels] = x.shape;
        const size = channels / groups;
        return tf.slice(x, [0, 0, 0, group * size], [a, b, c, size]);
      }),
    ),
  );
  const result = tf.concat(parts, 3);
  tf.dispose(parts);
  return result;
}
