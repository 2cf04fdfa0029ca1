import type { TrainingKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { composedFilterGradient, composedInputGradient } from './composed.js';
import { depthwiseFilterGradient, depthwiseInputGradient, unsortedSegmentSum } from './other-gradients.js';

interface ConvolutionAttributes {
  readonly strides: number | [number, number];
  readonly pad: 'valid' | 'same' | number | tf.backend_util.ExplicitPadding;
  readonly dataFormat?: 'NHWC' | 'NCHW';
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
  readonly filterShape?: [number, number, number, number];
  readonly inputShape?: [number, number, number, number];
}

type KernelArguments = { inputs: Record<string, tf.TensorInfo>; attrs: ConvolutionAttributes };

/** Wraps a tensor info of a kernel call in a handle of its own. */
function handle<T extends tf.Tensor>(info: tf.TensorInfo | undefined): T {
  return info as unknown as T;
}

function symmetricGeometry(info: tf.backend_util.Conv2DInfo): { stride: number; padding: number } | undefined {
  const { top, bottom, left, right } = info.padInfo;
  const isSymmetric = top === left && top >= bottom && left >= right;
  const isSquare = info.strideHeight === info.strideWidth && info.dilationHeight === 1 && info.dilationWidth === 1;
  // A bottom or right padding that no window reaches may be smaller than the top one: the kernels go by output size.
  return isSymmetric && isSquare ? { stride: info.strideHeight, padding: top } : undefined;
}

/** What `registerTrainingGradients` replaced, to be put back. */
export interface Registration {
  unregister(): void;
}

/**
 * Registers on the wasm backend the kernels without which `tf.variableGrads` cannot train a CNN there
 * (Conv2DBackpropFilter, depthwise gradients, UnsortedSegmentSum), a quicker Conv2DBackpropInput, and an Identity that
 * shares its buffer instead of copying it.
 *
 * @param kernels SIMD kernels; without them everything is composed from stock operations
 */
export function registerTrainingGradients(kernels?: TrainingKernels): Registration {
  return replaceKernels({
    Conv2DBackpropFilter: ({ inputs, attrs }) => {
      const x = handle<tf.Tensor4D>(inputs.x);
      const dy = handle<tf.Tensor4D>(inputs.dy);
      const shape = attrs.filterShape as [number, number, number, number];
      const info = tf.backend_util.computeConv2DInfo(
        x.shape,
        shape,
        attrs.strides,
        1,
        attrs.pad as never,
        attrs.dimRoundingMode,
      );
      const geometry = symmetricGeometry(info);
      return kernels !== undefined && geometry !== undefined
        ? kernels.conv2dFilterGradient(x, dy, shape, geometry)
        : composedFilterGradient(x, dy, shape, info);
    },
    Conv2DBackpropInput: ({ inputs, attrs }) => {
      const dy = handle<tf.Tensor4D>(inputs.dy);
      const filter = handle<tf.Tensor4D>(inputs.filter);
      const shape = attrs.inputShape as [number, number, number, number];
      const info = tf.backend_util.computeConv2DInfo(
        shape,
        filter.shape,
        attrs.strides,
        1,
        attrs.pad as never,
        attrs.dimRoundingMode,
      );
      const geometry = symmetricGeometry(info);
      return kernels !== undefined && geometry !== undefined
        ? kernels.conv2dInputGradient(dy, filter, shape, geometry)
        : composedInputGradient(dy, filter, shape, info);
    },
    DepthwiseConv2dNativeBackpropFilter: depthwiseFilterGradient as never,
    DepthwiseConv2dNativeBackpropInput: depthwiseInputGradient as never,
    UnsortedSegmentSum: unsortedSegmentSum as never,
    Identity: identity,
  });
}

/**
 * Only the missing filter gradient, composed from stock operations: stock TensorFlow.js with the least that lets it
 * train. The baseline of benchmarks.
 */
export function registerComposedFilterGradient(): Registration {
  return replaceKernels({
    Conv2DBackpropFilter: ({ inputs, attrs }) => {
      const x = handle<tf.Tensor4D>(inputs.x);
      const shape = attrs.filterShape as [number, number, number, number];
      const info = tf.backend_util.computeConv2DInfo(
        x.shape,
        shape,
        attrs.strides,
        1,
        attrs.pad as never,
        attrs.dimRoundingMode,
      );
      return composedFilterGradient(x, handle<tf.Tensor4D>(inputs.dy), shape, info);
    },
  });
}

function replaceKernels(kernels: Readonly<Record<string, (call: KernelArguments) => tf.TensorInfo>>): Registration {
  const replaced = Object.entries(kernels).map(([kernelName, kernelFunc]) => {
    const before = tf.getKernel(kernelName, 'wasm');
    if (before !== undefined) tf.unregisterKernel(kernelName, 'wasm');
    const own: tf.KernelConfig = { kernelName, backendName: 'wasm', kernelFunc: kernelFunc as never };
    tf.registerKernel(own);
    return { kernelName, before, own };
  });
  return {
    unregister() {
      for (const { kernelName, before, own } of replaced) {
        // Others may have replaced it meanwhile.
        if (tf.getKernel(kernelName, 'wasm') !== own) continue;
        tf.unregisterKernel(kernelName, 'wasm');
        if (before !== undefined) tf.registerKernel(before);
      }
    },
  };
}

function identity({ inputs }: KernelArguments): tf.TensorInfo {
  const x = inputs.x as tf.TensorInfo;
  tf.backend().incRef(x.dataId);
  return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
}
