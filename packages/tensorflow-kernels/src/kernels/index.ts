import { stockKernels, type TrainingKernels } from '@localgrad/kernels';
import { type NativeBackend, OperationRunner } from '../native-backend.js';
import { batchNormKernels } from './batch-norm.js';
import { convolutionKernels, depthwiseKernels } from './convolution.js';
import { elementwiseKernels } from './elementwise.js';
import { poolingKernels } from './pooling.js';

/** Training kernels built from TensorFlow operations. Stock TensorFlow.js is as good for operations that are not listed. */
export function createTensorflowKernels(backend: NativeBackend): TrainingKernels {
  const run = new OperationRunner(backend);
  return {
    ...stockKernels,
    ...convolutionKernels(run),
    ...depthwiseKernels(run),
    ...batchNormKernels(run),
    ...poolingKernels(run),
    ...elementwiseKernels(run),
    name: backend.isUsingGpuDevice ? 'tensorflow-gpu' : 'tensorflow',
  };
}
