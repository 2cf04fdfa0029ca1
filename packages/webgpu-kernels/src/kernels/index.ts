import { checkedKernels, type StepRecorder, stockKernels, type TrainingKernels } from '@localgrad/kernels';
import type { FlatStorage } from '../flat-storage.js';
import type { WebGpuBackend } from '../program.js';
import { WebGpuRecorder } from '../recording/recorder.js';
import { attention, attentionGradient } from './attention.js';
import { batchNormApply, batchNormGradient, batchStatistics } from './batch-norm.js';
import { conv2d, conv2dFilterGradient, conv2dInputGradient } from './convolution.js';
import { conv2dStatistics } from './convolution-statistics.js';
import { accumulate, reluGradient } from './elementwise.js';
import { gelu, geluGradient } from './gelu.js';
import { globalAveragePool, globalAveragePoolGradient } from './global-average-pool.js';
import { groupNorm, groupNormGradient } from './group-norm.js';
import {
  depthwiseConv2d,
  depthwiseConv2dFilterGradient,
  depthwiseConv2dInputGradient,
  groupedConv2d,
  groupedConv2dFilterGradient,
  groupedConv2dInputGradient,
} from './grouped-convolution.js';
import { poolingKernels } from './pooling.js';
import { softmaxCrossEntropy } from './softmax-cross-entropy.js';
import { adamUpdateAll, blendAll, clipAll, sgdUpdateAll } from './updates.js';

/** Training kernels on TensorFlow.js' WebGPU backend. Its own product of matrices is tiled, and taken as it is. */
export function createWebGpuKernels(
  backend: WebGpuBackend,
  storage: FlatStorage,
): TrainingKernels & { readonly recorder: StepRecorder } {
  const recorder = new WebGpuRecorder(backend, storage);
  const updates = { backend, storage, recorder };
  return checkedKernels({
    name: 'webgpu',
    recorder,
    conv2d: (...values) => conv2d(backend, ...values),
    conv2dInputGradient: (...values) => conv2dInputGradient(backend, ...values),
    conv2dFilterGradient: (x, dy, filterShape, geometry) => conv2dFilterGradient(backend, x, dy, filterShape, geometry),
    conv2dStatistics: (...values) => conv2dStatistics(backend, ...values),
    conv2dActivatedFilterGradient: (x, normalization, dy, filterShape, geometry) =>
      conv2dFilterGradient(backend, x, dy, filterShape, geometry, normalization),
    groupedConv2d: (...values) => groupedConv2d(backend, ...values),
    groupedConv2dInputGradient: (...values) => groupedConv2dInputGradient(backend, ...values),
    groupedConv2dFilterGradient: (...values) => groupedConv2dFilterGradient(backend, ...values),
    depthwiseConv2d: (...values) => depthwiseConv2d(backend, ...values),
    depthwiseConv2dInputGradient: (...values) => depthwiseConv2dInputGradient(backend, ...values),
    depthwiseConv2dFilterGradient: (...values) => depthwiseConv2dFilterGradient(backend, ...values),
    batchStatistics: (...values) => batchStatistics(backend, ...values),
    batchNormApply: (...values) => batchNormApply(backend, ...values),
    batchNormGradient: (request) => batchNormGradient(backend, request),
    groupNorm: (...values) => groupNorm(backend, ...values),
    groupNormGradient: (request) => groupNormGradient(backend, request),
    attention: (x, heads) => attention(backend, x, heads),
    attentionGradient: (dy, x, heads) => attentionGradient(backend, dy, x, heads),
    gelu: (x) => gelu(backend, x),
    geluGradient: (dy, x) => geluGradient(backend, dy, x),
    accumulate: (a, b) => accumulate(backend, a, b),
    matMul: stockKernels.matMul,
    mapAxis: stockKernels.mapAxis,
    reluGradient: (...values) => reluGradient(backend, ...values),
    binaryCrossEntropy: stockKernels.binaryCrossEntropy,
    globalAveragePool: (x) => globalAveragePool(backend, x),
    globalAveragePoolGradient: (dy, inputShape) => globalAveragePoolGradient(backend, dy, inputShape),
    ...poolingKernels(backend),
    softmaxCrossEntropy: (...values) => softmaxCrossEntropy(backend, ...values),
    clipAll: (gradients, norm) => clipAll(updates, gradients, norm),
    sgdUpdateAll: (requests) => sgdUpdateAll(updates, requests),
    adamUpdateAll: (requests) => adamUpdateAll(updates, requests),
    blendAll: (requests) => blendAll(updates, requests),
  });
}
