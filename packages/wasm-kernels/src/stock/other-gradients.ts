import * as tf from '@tensorflow/tfjs';

interface DepthwiseCall {
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: {
    readonly strides: [number, number] | number;
    readonly dilations?: [number, number] | number;
    readonly pad: 'valid' | 'same' | number;
    readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
    readonly filterShape?: [number, number, number, number];
    readonly inputShape?: [number, number, number, number];
  };
}

function values(info: tf.TensorInfo | undefined): Float32Array {
  return tf.backend().readSync((info as tf.TensorInfo).dataId) as Float32Array;
}

function geometry({ attrs }: DepthwiseCall, inputShape: number[], filterShape: number[]): tf.backend_util.Conv2DInfo {
  return tf.backend_util.computeConv2DInfo(
    inputShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    attrs.strides,
    attrs.dilations ?? 1,
    attrs.pad,
    attrs.dimRoundingMode,
    true,
  );
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

export function depthwiseFilterGradient(call: DepthwiseCall): tf.Tensor {
  const { x, dy } = call.inputs;
  const shape = call.attrs.filterShape as number[];
  const result = new Float32Array(tf.util.sizeFromShape(shape));
  const [input, cotangent] = [values(x), values(dy)];
  eachMeeting(geometry(call, (x as tf.TensorInfo).shape, shape), (atX, atDy, atFilter) => {
    result[atFilter] = (result[atFilter] as number) + (input[atX] as number) * (cotangent[atDy] as number);
  });
  return tf.tensor(result, shape);
}

export function depthwiseInputGradient(call: DepthwiseCall): tf.Tensor {
  const { dy, filter } = call.inputs;
  const shape = call.attrs.inputShape as number[];
  const result = new Float32Array(tf.util.sizeFromShape(shape));
  const [cotangent, weights] = [values(dy), values(filter)];
  eachMeeting(geometry(call, shape, (filter as tf.TensorInfo).shape), (atX, atDy, atFilter) => {
    result[atX] = (result[atX] as number) + (cotangent[atDy] as number) * (weights[atFilter] as number);
  });
  return tf.tensor(result, shape);
}

/** The gradient of gather: rows of x are added up by segment; negative segments are dropped. */
export function unsortedSegmentSum(call: {
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: { readonly numSegments: number };
}): tf.Tensor {
  const x = call.inputs.x as tf.TensorInfo;
  const segments = values(call.inputs.segmentIds);
  const { numSegments } = call.attrs;
  const inner = tf.util.sizeFromShape(x.shape) / segments.length;
  const source = values(x);
  const result = new Float32Array(numSegments * inner);
  segments.forEach((segment, row) => {
    if (segment < 0) return;
    for (let index = 0; index < inner; index++) {
      const at = segment * inner + index;
      result[at] = (result[at] as number) + (source[row * inner + index] as number);
    }
  });
  return tf.tensor(result, [numSegments, ...x.shape.slice(call.inputs.segmentIds?.shape.length ?? 1)], x.dtype);
}
