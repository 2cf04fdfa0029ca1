import { stockKernels, type TrainingKernels } from '@localgrad/kernels';
import type { WebGpuBackend } from '../program.js';
import { batchNormApply, batchNormGradient, batchStatistics } from './batch-norm.js';
import { conv2d, conv2dFilterGradient, conv2dInputGradient } from './convolution.js';
import { accumulate, sgdUpdate } from './elementwise.js';
import { globalAveragePool, globalAveragePoolGradient } from './pooling.js';
import { softmaxCrossEntropy } from './softmax-cross-entropy.js';

/** Training kernels on TensorFlow.js' WebGPU backend. Its own product of matrices is tiled, and taken as it is. */
export function createWebGpuKernels(backend: WebGpuBackend): TrainingKernels {
  return {
    name: 'webgpu',
    conv2d: (...values) => conv2d(backend, ...values),
    conv2dInputGradient: (...values) => conv2dInputGradient(backend, ...values),
    conv2dFilterGradient: (...values) => conv2dFilterGradient(backend, ...values),
    batchStatistics: (x) => batchStatistics(backend, x),
    batchNormApply: (...values) => batchNormApply(backend, ...values),
    batchNormGradient: (request) => batchNormGradient(backend, request),
    accumulate: (a, b) => accumulate(backend, a, b),
    matMul: stockKernels.matMul,
    globalAveragePool: (x) => globalAveragePool(backend, x),
    globalAveragePoolGradient: (dy, inputShape) => globalAveragePoolGradient(backend, dy, inputShape),
    softmaxCrossEntropy: (...values) => softmaxCrossEntropy(backend, ...values),
    sgdUpdate: (request) => sgdUpdate(backend, request),
  };
}
