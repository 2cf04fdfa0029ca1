import type { StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { borrowed, type Call } from './calls.js';

type Explicit = tf.backend_util.ExplicitPadding;

/** The backend's own return the least positive number if no value of a window is positive. */
export function windowKernels(): Record<string, StockKernel> {
  return { MaxPool3D: maxPool3d, MaxPool3DGrad: maxPool3dGradient, Dilation2D: dilation2d };
}

interface PoolingAttributes {
  readonly filterSize: number | [number, number, number];
  readonly strides: number | [number, number, number];
  readonly pad: 'valid' | 'same' | number;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

/** Its two stages: of each map, and of the maxima of the maps over depth. */
function stagesOf(call: Call) {
  const { filterSize, strides, pad, dimRoundingMode } = call.attrs as unknown as PoolingAttributes;
  const x = borrowed<tf.Tensor5D>(call.inputs.x ?? call.inputs.input);
  const info = tf.backend_util.computePool3DInfo(x.shape, filterSize, strides, 1, pad, dimRoundingMode);
  const { front, back, top, bottom, left, right } = info.padInfo;
  const [batch, depth, height, width, channels] = x.shape;
  const mapStage: Stage = {
    filterSize: [info.filterHeight, info.filterWidth],
    strides: [info.strideHeight, info.strideWidth],
    pad: margins([top, bottom], [left, right]),
  };
  const depthStage: Stage = {
    filterSize: [info.filterDepth, 1],
    strides: [info.strideDepth, 1],
    pad: margins([front, back], [0, 0]),
  };
  const pool = (maps: tf.Tensor, { filterSize: window, strides: stride, pad: around }: Stage) =>
    tf.maxPool(maps as tf.Tensor4D, window, stride, around);
  const maps = tf.reshape(x, [batch * depth, height, width, channels]);
  const maxima = pool(maps, mapStage);
  const columns = tf.reshape(maxima, [batch, depth, info.outHeight * info.outWidth, channels]);
  return { x, info, mapStage, depthStage, maps, maxima, columns, pool };
}

interface Stage {
  readonly filterSize: Pair;
  readonly strides: Pair;
  readonly pad: Explicit;
}

function margins(rows: Pair, columns: Pair): Explicit {
  return [[0, 0], rows, columns, [0, 0]];
}

function maxPool3d(call: Call): tf.Tensor {
  return tf.tidy(() => {
    const { info, depthStage, columns, pool } = stagesOf(call);
    return tf.reshape(pool(columns, depthStage), info.outShape);
  });
}

/** To the first maximum of each window, as in PyTorch. */
function maxPool3dGradient(call: Call): tf.Tensor {
  return tf.tidy(() => {
    const { x, info, mapStage, depthStage, maps, maxima, columns } = stagesOf(call);
    const gradient = (dy: tf.Tensor, input: tf.Tensor, stage: Stage) =>
      tf.engine().runKernel('MaxPoolGrad', { dy, input }, { ...stage }) as tf.Tensor;
    const outShape = [info.batchSize, info.outDepth, info.outHeight * info.outWidth, info.inChannels];
    const ofColumns = gradient(tf.reshape(borrowed(call.inputs.dy), outShape), columns, depthStage);
    return tf.reshape(gradient(tf.reshape(ofColumns, maxima.shape), maps, mapStage), x.shape);
  });
}

type Pair = [number, number];

interface DilationAttributes {
  readonly strides: number | Pair;
  readonly pad: 'valid' | 'same' | number;
  readonly dilations: number | Pair;
}

function dilation2d({ inputs, attrs }: Call): tf.Tensor {
  const [x, filter] = [borrowed<tf.Tensor4D>(inputs.x), borrowed<tf.Tensor3D>(inputs.filter)];
  const { strides, pad, dilations } = attrs as unknown as DilationAttributes;
  const info = tf.backend_util.computeDilation2DInfo(x.shape, filter.shape, strides, pad, 'NHWC', dilations);
  const { padInfo, strideHeight, strideWidth, dilationHeight, dilationWidth, outHeight, outWidth, inChannels } = info;
  return tf.tidy(() => {
    const around = margins([padInfo.top, padInfo.bottom], [padInfo.left, padInfo.right]);
    const floats = tf.pad(tf.cast(x, 'float32'), around, Number.NEGATIVE_INFINITY);
    const offsets = tf.cast(filter, 'float32');
    let result: tf.Tensor = tf.fill(info.outShape, Number.NEGATIVE_INFINITY);
    for (let row = 0; row < info.filterHeight; row++) {
      for (let column = 0; column < info.filterWidth; column++) {
        const [top, left] = [row * dilationHeight, column * dilationWidth];
        const [bottom, right] = [top + (outHeight - 1) * strideHeight + 1, left + (outWidth - 1) * strideWidth + 1];
        const begin = [0, top, left, 0];
        const end = [info.batchSize, bottom, right, inChannels];
        const values = tf.stridedSlice(floats, begin, end, [1, strideHeight, strideWidth, 1]);
        result = tf.maximum(result, tf.add(values, tf.slice(offsets, [row, column, 0], [1, 1, inChannels])));
      }
    }
    return tf.cast(result, x.dtype);
  });
}
