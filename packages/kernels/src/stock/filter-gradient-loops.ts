import * as tf from '@tensorflow/tfjs';
import { bothAxes } from '../convolution-measures.js';
import type { ConvolutionGeometry, Shape4 } from '../training-kernels.js';

/**
 * The gradient of a filter on the cpu backend, with the bits of its kernel `Conv2DBackpropFilter`: that one reads each number by an
 * array of its four indices, which took most of the time of a step.
 */
export function filterGradientByLoops(
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  filterShape: Shape4,
  { stride, padding }: ConvolutionGeometry,
): tf.Tensor4D {
  const [rows, columns, inputs, outputs] = filterShape;
  const [batch, height, width] = x.shape;
  const [, outHeight, outWidth] = dy.shape;
  const [down, right] = bothAxes(stride);
  const [top, left] = bothAxes(padding);
  const [values, cotangent] = [x.dataSync<'float32'>(), dy.dataSync<'float32'>()];
  const result = new Float32Array(rows * columns * inputs * outputs);
  // Each number of the filter is summed in double precision, in the order of images, rows and columns.
  const sums = new Float64Array(inputs * outputs);
  for (let tap = 0; tap < rows * columns; tap++) {
    const [row, column] = [Math.floor(tap / columns), tap % columns];
    sums.fill(0);
    for (let image = 0; image < batch; image++) {
      for (let outRow = 0; outRow < outHeight; outRow++) {
        const inRow = row + outRow * down - top;
        if (inRow < 0 || inRow >= height) continue;
        for (let outColumn = 0; outColumn < outWidth; outColumn++) {
          const inColumn = column + outColumn * right - left;
          if (inColumn < 0 || inColumn >= width) continue;
          const from = ((image * height + inRow) * width + inColumn) * inputs;
          const to = ((image * outHeight + outRow) * outWidth + outColumn) * outputs;
          let at = 0;
          for (let input = 0; input < inputs; input++) {
            const value = values[from + input] as number;
            for (let output = 0; output < outputs; output++, at++) {
              sums[at] = (sums[at] as number) + value * (cotangent[to + output] as number);
            }
          }
        }
      }
    }
    result.set(sums, tap * sums.length);
  }
  return tf.tensor4d(result, [rows, columns, inputs, outputs]);
}
