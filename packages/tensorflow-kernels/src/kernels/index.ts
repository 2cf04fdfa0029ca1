import { checkedKernels, stockKernels, type TrainingKernels } from '@localgrad/kernels';
import type { OperationRunner } from '../native-backend.js';
import type { Variables } from '../variables.js';
import { batchNormKernels } from './batch-norm.js';
import { convolutionKernels, depthwiseKernels } from './convolution.js';
import { elementwiseKernels } from './elementwise.js';
import { groupedKernels, hasGroupedGradients } from './grouped-convolution.js';
import { poolingKernels } from './pooling.js';
import { updateKernels } from './updates.js';

export interface TensorflowKernels {
  readonly kernels: TrainingKernels;
  /** Whether convolutions on the processor are those of oneDNN; undefined on a GPU. */
  readonly oneDnn: boolean | undefined;
}

/** Training kernels built from TensorFlow operations. Stock TensorFlow.js is as good for operations that are not listed. */
export function createTensorflowKernels(run: OperationRunner, variables: Variables): TensorflowKernels {
  const updates = updateKernels(run, variables);
  const convolutions = convolutionKernels(run);
  const hasGradients = hasGroupedGradients(convolutions);
  const kernels = checkedKernels({
    ...stockKernels,
    ...convolutions,
    ...groupedKernels(convolutions, hasGradients),
    ...depthwiseKernels(run),
    ...batchNormKernels(run, updates.blendAll),
    ...poolingKernels(run),
    ...elementwiseKernels(run),
    ...updates,
    name: run.backend.isUsingGpuDevice ? 'tensorflow-gpu' : 'tensorflow',
  });
  return { kernels, oneDnn: run.backend.isUsingGpuDevice ? undefined : hasGradients };
}
