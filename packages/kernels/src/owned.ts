import { engine, Tensor, type TensorInfo } from '@tensorflow/tfjs';

/**
 * Wraps the result of a kernel in a tensor, which `tf.tidy` disposes unless it is returned. Replaced kernels return tensors,
 * which a second tensor would outlive.
 */
export function owned<T extends Tensor>(info: TensorInfo): T {
  if (info instanceof Tensor) return info as T;
  return engine().makeTensorFromTensorInfo(info) as T;
}
