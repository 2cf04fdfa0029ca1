import type { Shape4, StockKernel, TrainingKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { symmetricGeometry } from './geometry.js';
import { onEachSide } from './padding.js';

interface DepthwiseCall {
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: {
    readonly strides: [number, number] | number;
    readonly dilations?: [number, number] | number | null;
    readonly pad: 'valid' | 'same' | number;
    readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
    readonly filterShape?: [number, number, number, number];
    readonly inputShape?: [number, number, number, number];
  };
}

function values(info: tf.TensorInfo | undefined): Float32Array {
  return tf.backend().readSync((info as tf.TensorInfo).dataId) as Float32Array;
}

function geometryOf({ attrs }: DepthwiseCall, inputShape: number[], filterShape: number[]): tf.backend_util.Conv2DInfo {
  return tf.backend_util.computeConv2DInfo(
    inputShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    attrs.strides,
    attrs.dilations ?? 1,
    onEachSide(attrs.pad) as never,
    attrs.dimRoundingMode,
    true,
  );
}

/** Gradients of depthwise convolution: by the training kernels or, with dilations or TensorFlow's `same`, by plain loops. */
export function depthwiseKernels(kernels: TrainingKernels | undefined): Readonly<Record<string, StockKernel>> {
  return {
    DepthwiseConv2dNativeBackpropFilter: (call: DepthwiseCall) => {
      const [x, dy] = [call.inputs.x, call.inputs.dy] as [tf.Tensor4D, tf.Tensor4D];
      const shape = call.attrs.filterShape as Shape4;
      const geometry = symmetricGeometry(geometryOf(call, x.shape, [...shape]));
      if (kernels === undefined || geometry === undefined) return filterGradient(call);
      return kernels.depthwiseConv2dFilterGradient(x, dy, shape, geometry);
    },
    DepthwiseConv2dNativeBackpropInput: (call: DepthwiseCall) => {
      const [dy, filter] = [call.inputs.dy, call.inputs.filter] as [tf.Tensor4D, tf.Tensor4D];
      const shape = call.attrs.inputShape as Shape4;
      const geometry = symmetricGeometry(geometryOf(call, [...shape], filter.shape));
      if (kernels === undefined || geometry === undefined) return inputGradient(call);
      return kernels.depthwiseConv2dInputGradient(dy, filter, shape, geometry);
    },
  };
}

/** Calls `visit` with the flat positions of x, dy and filter that meet in a depthwise convolution. */
function eachMeeting(info: tf.backend_util.Conv2DInfo, visit: (x: number, dy: number, filter: number) => void): void {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, filterHeight, filterWidth, padInfo } = info;
  const multiplier = info.outChannels / inChannels;
  for (let n = 0; n < batchSize; n++) {
    for (let oh = 0; oh < outHeight; oh++) {
      for (let ow = 0; ow < outWidth; ow++) {
        for (let i = 0; i < filterHeight; i++) {
          const ih = oh * info.strideHeight + i * info.dilationHeight - padInfo.top;
          if (ih < 0 || ih >= inHeight) continue;
          for (let j = 0; j < filterWidth; j++) {
            const iw = ow * info.strideWidth + j * info.dilationWidth - padInfo.left;
            if (iw < 0 || iw >= inWidth) continue;
            const x = ((n * inHeight + ih) * inWidth + iw) * inChannels;
            const dy = ((n * outHeight + oh) * outWidth + ow) * info.outChannels;
            const filter = (i * filterWidth + j) * info.outChannels;
            for (let c = 0; c < info.outChannels; c++) visit(x + Math.floor(c / multiplier), dy + c, filter + c);
          }
        }
      }
    }
  }
}

function filterGradient(call: DepthwiseCall): tf.Tensor {
  const { x, dy } = call.inputs;
  const shape = call.attrs.filterShape as number[];
  const result = new Float32Array(tf.util.sizeFromShape(shape));
  const [input, cotangent] = [values(x), values(dy)];
  eachMeeting(geometryOf(call, (x as tf.TensorInfo).shape, shape), (atX, atDy, atFilter) => {
    result[atFilter] = (result[atFilter] as number) + (input[atX] as number) * (cotangent[atDy] as number);
  });
  return tf.tensor(result, shape);
}

function inputGradient(call: DepthwiseCall): tf.Tensor {
  const { dy, filter } = call.inputs;
  const shape = call.attrs.inputShape as number[];
  const result = new Float32Array(tf.util.sizeFromShape(shape));
  const [cotangent, weights] = [values(dy), values(filter)];
  eachMeeting(geometryOf(call, shape, (filter as tf.TensorInfo).shape), (atX, atDy, atFilter) => {
    result[atX] = (result[atX] as number) + (cotangent[atDy] as number) * (weights[atFilter] as number);
  });
  return tf.tensor(result, shape);
}
