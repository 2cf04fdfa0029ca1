import { checkedKernels, stockKernels, type TrainingKernels } from '@localgrad/kernels';
import type { OperationRunner } from '../native-backend.js';
import type { Variables } from '../variables.js';
import { batchNormKernels } from './batch-norm.js';
import { convolutionKernels, depthwiseKernels } from './convolution.js';
import { elementwiseKernels } from './elementwise.js';
import { groupedKernels } from './grouped-convolution.js';
import { poolingKernels } from './pooling.js';
import { updateKernels } from './updates.js';

/** Training kernels built from TensorFlow operations. Stock TensorFlow.js is as good for operations that are not listed. */
export function createTensorflowKernels(run: OperationRunner, variables: Variables): TrainingKernels {
  const updates = updateKernels(run, variables);
  const convolutions = convolutionKernels(run);
  return checkedKernels({
    ...stockKernels,
    ...convolutions,
    ...groupedKernels(convolutions),
    ...depthwiseKernels(run),
    ...batchNormKernels(run, updates.blendAll),
    ...poolingKernels(run),
    ...elementwiseKernels(run),
    ...updates,
    name: run.backend.isUsingGpuDevice ? 'tensorflow-gpu' : 'tensorflow',
  });
}
