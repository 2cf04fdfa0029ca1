import { stockKernels, type TrainingKernels } from '@localgrad/kernels';
import type { WebGpuBackend } from '../program.js';
import { adamUpdate } from './adam.js';
import { batchNormApply, batchNormGradient, batchStatistics } from './batch-norm.js';
import { conv2d, conv2dFilterGradient, conv2dInputGradient } from './convolution.js';
import {
  depthwiseConv2d,
  depthwiseConv2dFilterGradient,
  depthwiseConv2dInputGradient,
} from './depthwise-convolution.js';
import { accumulate, sgdUpdate } from './elementwise.js';
import { globalAveragePool, globalAveragePoolGradient } from './global-average-pool.js';
import { groupNorm, groupNormGradient } from './group-norm.js';
import { averagePool, averagePoolGradient, maxPool, maxPoolGradient } from './pooling.js';
import { softmaxCrossEntropy } from './softmax-cross-entropy.js';

/** Training kernels on the TensorFlow.js WebGPU backend. Matrix products use the stock kernel, which is tiled. */
export function createWebGpuKernels(backend: WebGpuBackend): TrainingKernels {
  return {
    name: 'webgpu',
    conv2d: (...values) => conv2d(backend, ...values),
    conv2dInputGradient: (...values) => conv2dInputGradient(backend, ...values),
    conv2dFilterGradient: (...values) => conv2dFilterGradient(backend, ...values),
    depthwiseConv2d: (...values) => depthwiseConv2d(backend, ...values),
    depthwiseConv2dInputGradient: (...values) => depthwiseConv2dInputGradient(backend, ...values),
    depthwiseConv2dFilterGradient: (...values) => depthwiseConv2dFilterGradient(backend, ...values),
    batchStatistics: (x) => batchStatistics(backend, x),
    batchNormApply: (...values) => batchNormApply(backend, ...values),
    batchNormGradient: (request) => batchNormGradient(backend, request),
    groupNorm: (...values) => groupNorm(backend, ...values),
    groupNormGradient: (request) => groupNormGradient(backend, request),
    accumulate: (a, b) => accumulate(backend, a, b),
    matMul: stockKernels.matMul,
    globalAveragePool: (x) => globalAveragePool(backend, x),
    globalAveragePoolGradient: (dy, inputShape) => globalAveragePoolGradient(backend, dy, inputShape),
    maxPool: (...values) => maxPool(backend, ...values),
    maxPoolGradient: (...values) => maxPoolGradient(backend, ...values),
    averagePool: (...values) => averagePool(backend, ...values),
    averagePoolGradient: (...values) => averagePoolGradient(backend, ...values),
    softmaxCrossEntropy: (...values) => softmaxCrossEntropy(backend, ...values),
    sgdUpdate: (request) => sgdUpdate(backend, request),
    adamUpdate: (request) => adamUpdate(backend, request),
  };
}
