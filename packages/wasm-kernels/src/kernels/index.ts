import { checkedKernels } from '@localgrad/kernels';
import { binary as relaxed } from '../generated/relaxed-simd.js';
import { binary as simd } from '../generated/simd.js';
import { binary as threadedRelaxed } from '../generated/threaded-relaxed-simd.js';
import { binary as threaded } from '../generated/threaded-simd.js';
import { createSingleThreadPool, type KernelFunctions } from '../pool/pool.js';
import { createThreadPool } from '../pool/thread-pool.js';
import type { WasmHeap } from '../runtime/heap.js';
import { attention, attentionGradient } from './attention.js';
import { mapAxis } from './axis-map.js';
import { batchNormApply, batchNormGradient, batchStatistics } from './batch-norm.js';
import { createContext } from './context.js';
import {
  conv2d,
  conv2dActivatedFilterGradient,
  conv2dFilterGradient,
  conv2dInputGradient,
  conv2dInputGradientInPlace,
} from './convolution.js';
import { concat, slice } from './copies.js';
import { binaryCrossEntropy, softmaxCrossEntropy } from './cross-entropy.js';
import {
  depthwiseConv2d,
  depthwiseConv2dFilterGradient,
  depthwiseConv2dInputGradient,
} from './depthwise-convolution.js';
import {
  accumulate,
  elementwise,
  geluGradient,
  globalAveragePool,
  globalAveragePoolGradient,
  reluGradient,
} from './elementwise.js';
import { groupNorm, groupNormGradient } from './group-norm.js';
import { groupedConv2d, groupedConv2dFilterGradient, groupedConv2dInputGradient } from './grouped-convolution.js';
import { batchMatMul, matMul } from './matrix-product.js';
import { pooledBatchNormGradient } from './pooled-batch-norm.js';
import { averagePool, averagePoolGradient, maxPool, maxPoolGradient } from './pooling.js';
import { adamUpdateAll, blendAll, sgdUpdateAll } from './updates.js';
import type { WasmTrainingKernels } from './wasm-training-kernels.js';

export interface KernelOptions {
  /** Number of threads; more than 1 requires a heap that threads share. */
  readonly threads: number;
  readonly relaxedSimd: boolean;
}

/** Compiles the kernels onto a heap and starts their threads. */
export async function createWasmTrainingKernels(heap: WasmHeap, options: KernelOptions): Promise<WasmTrainingKernels> {
  const { threads, relaxedSimd } = options;
  const binary = heap.shared ? (relaxedSimd ? threadedRelaxed : threaded) : relaxedSimd ? relaxed : simd;
  const module = await WebAssembly.compile(Uint8Array.from(atob(binary), (character) => character.charCodeAt(0)));
  const { memory } = heap;
  const abort = () => {
    throw new Error('A wasm kernel aborted.');
  };
  const functions = (await WebAssembly.instantiate(module, { env: { memory, abort } })).exports as KernelFunctions;
  const pool =
    heap.shared && threads > 1
      ? await createThreadPool(module, functions, memory, { threads })
      : createSingleThreadPool(functions);
  const context = createContext(heap, pool);
  return checkedKernels<WasmTrainingKernels>({
    name: 'wasm-simd',
    threads: pool.threads,
    conv2d: (...values) => conv2d(context, ...values),
    conv2dInputGradient: (...values) => conv2dInputGradient(context, ...values),
    conv2dInputGradientInPlace: (...values) => conv2dInputGradientInPlace(context, ...values),
    conv2dActivatedFilterGradient: (...values) => conv2dActivatedFilterGradient(context, ...values),
    conv2dFilterGradient: (...values) => conv2dFilterGradient(context, ...values),
    groupedConv2d: (...values) => groupedConv2d(context, ...values),
    groupedConv2dInputGradient: (...values) => groupedConv2dInputGradient(context, ...values),
    groupedConv2dFilterGradient: (...values) => groupedConv2dFilterGradient(context, ...values),
    depthwiseConv2d: (...values) => depthwiseConv2d(context, ...values),
    depthwiseConv2dInputGradient: (...values) => depthwiseConv2dInputGradient(context, ...values),
    depthwiseConv2dFilterGradient: (...values) => depthwiseConv2dFilterGradient(context, ...values),
    batchStatistics: (...values) => batchStatistics(context, ...values),
    batchNormApply: (...values) => batchNormApply(context, ...values),
    batchNormGradient: (request) => batchNormGradient(context, request),
    pooledBatchNormGradient: (request) => pooledBatchNormGradient(context, request),
    groupNorm: (...values) => groupNorm(context, ...values),
    groupNormGradient: (request) => groupNormGradient(context, request),
    attention: (...values) => attention(context, ...values),
    attentionGradient: (...values) => attentionGradient(context, ...values),
    gelu: (x) => elementwise(context, 'gelu', x),
    geluGradient: (...values) => geluGradient(context, ...values),
    accumulate: (a, b) => accumulate(context, a, b),
    clamp: (x, low, high) => elementwise(context, 'clamp', x, low, high),
    exp: (x) => elementwise(context, 'exponential', x),
    erf: (x) => elementwise(context, 'errorFunction', x),
    matMul: (...values) => matMul(context, ...values),
    batchMatMul: (...values) => batchMatMul(context, ...values),
    concat: (...values) => concat(context, ...values),
    slice: (...values) => slice(context, ...values),
    mapAxis: (...values) => mapAxis(context, ...values),
    reluGradient: (...values) => reluGradient(context, ...values),
    globalAveragePool: (x) => globalAveragePool(context, x),
    globalAveragePoolGradient: (dy, inputShape) => globalAveragePoolGradient(context, dy, inputShape),
    maxPool: (...values) => maxPool(context, ...values),
    maxPoolGradient: (...values) => maxPoolGradient(context, ...values),
    averagePool: (...values) => averagePool(context, ...values),
    averagePoolGradient: (...values) => averagePoolGradient(context, ...values),
    softmaxCrossEntropy: (...values) => softmaxCrossEntropy(context, ...values),
    binaryCrossEntropy: (...values) => binaryCrossEntropy(context, ...values),
    sgdUpdateAll: (requests) => sgdUpdateAll(context, requests),
    adamUpdateAll: (requests) => adamUpdateAll(context, requests),
    blendAll: (requests) => blendAll(context, requests),
    dispose: () => pool.dispose(),
  });
}
