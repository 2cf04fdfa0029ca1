import { type Block, bytesOf, requireOption, type Shape3 } from '@localgrad/core';
import { avgPool, div, engine, image, maxPool as maxPoolOf, type Tensor4D } from '@tensorflow/tfjs';
import { consume } from './activations.js';
import { convolvedShape } from './convolution-unit.js';
import { parameterless } from './parameterless.js';
import { type AxisMap, separableMap } from './separable-map.js';

/**
 * Means over bins that cut height and width as evenly as possible: bin i of n covers ⌊i·size/n⌋ … ⌈(i+1)·size/n⌉ − 1,
 * as PyTorch's AdaptiveAvgPool2d.
 */
export function adaptiveAveragePool(name: string, inputShape: Shape3, outputSize: readonly [number, number]): Block {
  const [height, width] = inputShape;
  for (const size of outputSize) {
    requireOption(
      Number.isInteger(size) && size > 0,
      'adaptiveAveragePool',
      'outputSize',
      outputSize,
      'positive integers',
    );
  }
  if (height % outputSize[0] === 0 && width % outputSize[1] === 0) {
    return evenAveragePool(name, inputShape, [height / outputSize[0], width / outputSize[1]]);
  }
  return separableMap(name, inputShape, adaptiveBins(height, outputSize[0]), adaptiveBins(width, outputSize[1]));
}

/** Means over size×size windows side by side; what is left over at the right and the bottom is dropped. */
export function averagePool(name: string, inputShape: Shape3, size: number): Block {
  const [height, width] = inputShape;
  requireOption(
    Number.isInteger(size) && size > 0 && size <= Math.min(height, width),
    'averagePool',
    'size',
    size,
    `integers from 1 to ${Math.min(height, width)}`,
  );
  if (height % size === 0 && width % size === 0) return evenAveragePool(name, inputShape, [size, size]);
  return separableMap(name, inputShape, evenBins(height, size), evenBins(width, size));
}

/** Windows that tile the map exactly: the gradient is a nearest-neighbour enlargement. */
function evenAveragePool(name: string, inputShape: Shape3, window: readonly [number, number]): Block {
  const [height, width, channels] = inputShape;
  const outputShape: Shape3 = [height / window[0], width / window[1], channels];
  return parameterless({
    name,
    inputShape,
    outputShape,
    reads: { input: false, output: false },
    apply: (x) => avgPool(x, [...window] as [number, number], [...window] as [number, number], 'valid'),
    pullBack: (dy) =>
      consume(dy, () => image.resizeNearestNeighbor(div<Tensor4D>(dy, window[0] * window[1]), [height, width])),
    applyPeakBytes: (batchSize) => bytesOf(outputShape, batchSize),
    pullBackPeakBytes: (batchSize) => bytesOf(outputShape, batchSize) + bytesOf(inputShape, batchSize),
  });
}

export interface MaxPoolOptions {
  readonly name: string;
  readonly inputShape: Shape3;
  /** Default 3. */
  readonly size?: number;
  /** Default 2. */
  readonly stride?: number;
  /** Symmetric padding with −∞; default 1. */
  readonly padding?: number;
}

/** Maxima over windows; the defaults are those of the ImageNet stem. */
export function maxPool({ name, inputShape, size = 3, stride = 2, padding = 1 }: MaxPoolOptions): Block {
  const outputShape = convolvedShape(inputShape, inputShape[2], size, { stride, padding });
  return parameterless({
    name,
    inputShape,
    outputShape,
    apply: (x) => maxPoolOf(x, size, stride, padding),
    pullBack: (dy, input, output) =>
      consume(
        dy,
        () =>
          engine().runKernel(
            'MaxPoolGrad',
            { dy, input, output },
            { filterSize: size, strides: stride, pad: padding },
          ) as Tensor4D,
      ),
    applyPeakBytes: (batchSize) => bytesOf(outputShape, batchSize),
    pullBackPeakBytes: (batchSize) => bytesOf(inputShape, batchSize),
  });
}

/** Bilinear resizing with aligned corners, as PyTorch's `align_corners=True`. */
export function bilinearUpsample(name: string, inputShape: Shape3, outputSize: readonly [number, number]): Block {
  return separableMap(
    name,
    inputShape,
    bilinearWeights(inputShape[0], outputSize[0]),
    bilinearWeights(inputShape[1], outputSize[1]),
  );
}

function adaptiveBins(size: number, bins: number): AxisMap {
  return Array.from({ length: bins }, (_, bin) =>
    meanOver(size, Math.floor((bin * size) / bins), Math.ceil(((bin + 1) * size) / bins)),
  );
}

function evenBins(size: number, window: number): AxisMap {
  return Array.from({ length: Math.floor(size / window) }, (_, bin) =>
    meanOver(size, bin * window, (bin + 1) * window),
  );
}

function meanOver(size: number, start: number, end: number): number[] {
  return Array.from({ length: size }, (_, index) => (index >= start && index < end ? 1 / (end - start) : 0));
}

function bilinearWeights(size: number, outputSize: number): AxisMap {
  const scale = outputSize > 1 ? (size - 1) / (outputSize - 1) : 0;
  return Array.from({ length: outputSize }, (_, out) => {
    const position = out * scale;
    const low = Math.min(Math.floor(position), size - 1);
    const high = Math.min(low + 1, size - 1);
    const line = new Array<number>(size).fill(0);
    line[low] = (line[low] ?? 0) + 1 - (position - low);
    line[high] = (line[high] ?? 0) + (position - low);
    return line;
  });
}
