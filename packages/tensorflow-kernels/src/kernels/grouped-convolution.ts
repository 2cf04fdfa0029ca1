import { type GroupedConvolutions, groupByGroup, type TrainingKernels } from '@localgrad/kernels';
import { ones, tidy } from '@tensorflow/tfjs';

type Convolutions = Pick<TrainingKernels, 'conv2d' | 'conv2dInputGradient' | 'conv2dFilterGradient'>;

/**
 * TensorFlow's convolutions divide the channels into groups where the filter has fewer input channels than the images.
 *
 * @param hasGradients whether this TensorFlow has their gradients; otherwise groups are computed one by one
 */
export function groupedKernels(convolutions: Convolutions, hasGradients: boolean): GroupedConvolutions {
  if (!hasGradients) return groupByGroup(convolutions);
  const { conv2d, conv2dInputGradient, conv2dFilterGradient } = convolutions;
  return {
    groupedConv2d: (x, filter, _groups, geometry) => conv2d(x, filter, geometry),
    groupedConv2dInputGradient: (dy, filter, _groups, inputShape, geometry) =>
      conv2dInputGradient(dy, filter, inputShape, geometry),
    groupedConv2dFilterGradient: (x, dy, _groups, filterShape, geometry) =>
      conv2dFilterGradient(x, dy, filterShape, geometry),
  };
}

/** Tries the gradients of two groups of one channel, which TensorFlow has on processors only with oneDNN. */
export function hasGroupedGradients({ conv2dInputGradient, conv2dFilterGradient }: Convolutions): boolean {
  const geometry = { stride: 1, padding: 0 };
  const [maps, filter] = [[1, 2, 2, 2] as const, [1, 1, 1, 2] as const];
  return tidy(() => {
    try {
      conv2dInputGradient(ones([...maps]), ones([...filter]), maps, geometry);
      conv2dFilterGradient(ones([...maps]), ones([...maps]), filter, geometry);
      return true;
    } catch {
      return false;
    }
  });
}
