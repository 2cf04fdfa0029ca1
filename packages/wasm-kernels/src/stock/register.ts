import { replaceStockKernels, type StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import type { WasmTrainingKernels } from '../kernels/wasm-training-kernels.js';
import { activationKernels } from './activations.js';
import { borrowed } from './calls.js';
import { clampKernels } from './clamps.js';
import { composedFilterGradient, composedInputGradient } from './composed.js';
import { constantPaddingKernels } from './constant-padding.js';
import { copyKernels } from './copies.js';
import { depthwiseKernels } from './depthwise.js';
import { dtypeKernels } from './dtypes.js';
import { extremaKernels } from './extrema.js';
import { functionKernels } from './functions.js';
import { symmetricGeometry } from './geometry.js';
import { integerKernels } from './integers.js';
import { unsortedSegmentSum } from './other-gradients.js';
import { onEachSide, type Padding, paddedKernels } from './padding.js';
import { poolingKernels } from './pooling.js';
import { productKernels } from './products.js';
import { rejectedKernels, rejectIntegers } from './rejected.js';
import { scanKernels } from './scans.js';
import { windowKernels } from './windows.js';

interface ConvolutionAttributes {
  readonly strides: number | [number, number];
  readonly pad: Padding;
  readonly dataFormat?: 'NHWC' | 'NCHW';
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
  readonly filterShape?: [number, number, number, number];
  readonly inputShape?: [number, number, number, number];
}

type KernelArguments = { inputs: Record<string, tf.TensorInfo>; attrs: ConvolutionAttributes };

const isEmpty = ({ shape }: tf.TensorInfo) => tf.util.sizeFromShape(shape) === 0;

/** The kernels that `registerTrainingGradients` replaced, to restore them later. */
export interface Registration {
  unregister(): void;
}

/**
 * Registers on the wasm backend the kernels that `tf.variableGrads` needs to train a CNN (Conv2DBackpropFilter, depthwise
 * gradients, UnsortedSegmentSum), a faster Conv2DBackpropInput, pooling with correct gradients, extrema and clamps that
 * propagate NaN, kernels in place of the backend's own where these are wrong for some inputs (dtypes, empty tensors, oblong
 * convolutions, …), and an Identity that shares its buffer instead of copying it.
 *
 * @param kernels SIMD kernels; without them everything is composed from stock operations
 */
export function registerTrainingGradients(kernels?: WasmTrainingKernels): Registration {
  const byDtype = dtypeKernels();
  const products = productKernels(kernels);
  return replaceKernels({
    Conv2DBackpropFilter: ({ inputs, attrs }: KernelArguments) => {
      const x = borrowed<tf.Tensor4D>(inputs.x);
      const dy = borrowed<tf.Tensor4D>(inputs.dy);
      const shape = attrs.filterShape as [number, number, number, number];
      if (isEmpty(x) || isEmpty(dy)) return tf.zeros(shape);
      const info = tf.backend_util.computeConv2DInfo(
        x.shape,
        shape,
        attrs.strides,
        1,
        onEachSide(attrs.pad) as never,
        attrs.dimRoundingMode,
      );
      const geometry = symmetricGeometry(info);
      return kernels !== undefined && geometry !== undefined
        ? kernels.conv2dFilterGradient(x, dy, shape, geometry)
        : composedFilterGradient(x, dy, shape, info);
    },
    Conv2DBackpropInput: ({ inputs, attrs }: KernelArguments) => {
      const dy = borrowed<tf.Tensor4D>(inputs.dy);
      const filter = borrowed<tf.Tensor4D>(inputs.filter);
      rejectIntegers('The transposed convolution', dy, filter);
      const shape = attrs.inputShape as [number, number, number, number];
      if (isEmpty(dy) || isEmpty(filter)) return tf.zeros(shape);
      const info = tf.backend_util.computeConv2DInfo(
        shape,
        filter.shape,
        attrs.strides,
        1,
        onEachSide(attrs.pad) as never,
        attrs.dimRoundingMode,
      );
      const geometry = symmetricGeometry(info);
      return kernels !== undefined && geometry !== undefined
        ? kernels.conv2dInputGradient(dy, filter, shape, geometry)
        : composedInputGradient(dy, filter, shape, info);
    },
    ...depthwiseKernels(kernels),
    UnsortedSegmentSum: unsortedSegmentSum,
    ...poolingKernels(kernels),
    ...products,
    ...copyKernels(kernels),
    ...extremaKernels(),
    ...clampKernels(kernels),
    ...byDtype,
    ...functionKernels(kernels, byDtype),
    ...paddedKernels(),
    ...constantPaddingKernels(),
    ...integerKernels(),
    ...scanKernels(),
    ...activationKernels(products.BatchMatMul),
    ...windowKernels(),
    ...rejectedKernels(),
    Identity: identity,
  });
}

/**
 * Registers only the missing filter gradient, composed from stock operations: the minimum with which stock TensorFlow.js can
 * train a CNN. The baseline of benchmarks.
 */
export function registerComposedFilterGradient(): Registration {
  return replaceKernels({
    Conv2DBackpropFilter: ({ inputs, attrs }: KernelArguments) => {
      const x = borrowed<tf.Tensor4D>(inputs.x);
      const shape = attrs.filterShape as [number, number, number, number];
      const info = tf.backend_util.computeConv2DInfo(
        x.shape,
        shape,
        attrs.strides,
        1,
        onEachSide(attrs.pad) as never,
        attrs.dimRoundingMode,
      );
      return composedFilterGradient(x, borrowed<tf.Tensor4D>(inputs.dy), shape, info);
    },
  });
}

function replaceKernels(kernels: Readonly<Record<string, StockKernel>>): Registration {
  return { unregister: replaceStockKernels('wasm', kernels) };
}

function identity({ inputs }: KernelArguments): tf.TensorInfo {
  const x = inputs.x as tf.TensorInfo;
  tf.backend().incRef(x.dataId);
  return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
}
