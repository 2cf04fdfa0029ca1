import { type Block, bytesOf, rejectUnknownKeys, requireOption, type Shape3 } from '@localgrad/core';
import { currentKernels, type Padding, type PoolingGeometry } from '@localgrad/kernels';
import { consume } from './activations.js';
import { batched, convolvedShape } from './convolution-unit.js';
import { parameterless } from './parameterless.js';
import { type AxisMap, separableMap } from './separable-map.js';

type Pair = readonly [height: number, width: number];

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
    return windowMeans(name, inputShape, outputSize, [height / outputSize[0], width / outputSize[1]]);
  }
  return separableMap(name, inputShape, adaptiveBins(height, outputSize[0]), adaptiveBins(width, outputSize[1]));
}

/** Means over adjacent size×size windows. Rows and columns that do not fill a window are dropped, as in PyTorch's AvgPool2d. */
export function averagePool(name: string, inputShape: Shape3, size: number): Block {
  const [height, width] = inputShape;
  requireOption(
    Number.isInteger(size) && size > 0 && size <= Math.min(height, width),
    'averagePool',
    'size',
    size,
    `integers from 1 to ${Math.min(height, width)}`,
  );
  return windowMeans(name, inputShape, [Math.floor(height / size), Math.floor(width / size)], [size, size]);
}

/** Means over windows without padding. Rows and columns that no window reaches are dropped. */
function windowMeans(name: string, inputShape: Shape3, outputSize: readonly [number, number], size: Pair): Block {
  const outputShape: Shape3 = [...outputSize, inputShape[2]];
  const geometry: PoolingGeometry = { window: size, stride: size, padding: symmetric(0) };
  return parameterless({
    name,
    inputShape,
    outputShape,
    reads: { input: false, output: false },
    isMeans: size[0] * outputSize[0] === inputShape[0] && size[1] * outputSize[1] === inputShape[1],
    holdsCotangent: true,
    apply: (x) => currentKernels().averagePool(x, geometry),
    pullBack: (dy) =>
      consume(dy, () => currentKernels().averagePoolGradient(dy, batched(inputShape, dy.shape[0]), geometry)),
    applyPeakBytes: (batchSize) => bytesOf(outputShape, batchSize),
    pullBackPeakBytes: (batchSize) => bytesOf(inputShape, batchSize),
  });
}

/** Options of `maxPool`. */
export interface MaxPoolOptions {
  /** Name of the block, unique in its network. */
  readonly name: string;
  /** Shape [height, width, channels] of one sample's input. */
  readonly inputShape: Shape3;
  /** Default 3. */
  readonly size?: number;
  /** Default 2. */
  readonly stride?: number;
  /** Symmetric padding with −∞, at most half of the window; default 1. */
  readonly padding?: number;
}

/**
 * Maxima over windows. The defaults are those of the stem of an ImageNet ResNet. As in PyTorch, the gradient goes to the
 * first maximum of each window, and NaN propagates.
 */
export function maxPool(options: MaxPoolOptions): Block {
  rejectUnknownKeys('maxPool', options, ['name', 'inputShape', 'size', 'stride', 'padding']);
  const { name, inputShape, size = 3, stride = 2, padding = 1 } = options;
  requireOption(Number.isInteger(size) && size > 0, 'maxPool', 'size', size, 'positive integers');
  requireOption(Number.isInteger(stride) && stride > 0, 'maxPool', 'stride', stride, 'positive integers');
  const largest = Math.floor(size / 2);
  const fits = Number.isInteger(padding) && padding >= 0 && padding <= largest;
  requireOption(fits, 'maxPool', 'padding', padding, `integers from 0 to ${largest}, half of the window`);
  const outputShape = convolvedShape(inputShape, inputShape[2], size, { stride, padding });
  const geometry: PoolingGeometry = { window: [size, size], stride: [stride, stride], padding: symmetric(padding) };
  return parameterless({
    name,
    inputShape,
    outputShape,
    reads: { input: true, output: false },
    holdsCotangent: true,
    apply: (x) => currentKernels().maxPool(x, geometry),
    pullBack: (dy, input) => consume(dy, () => currentKernels().maxPoolGradient(dy, input, geometry)),
    applyPeakBytes: (batchSize) => bytesOf(outputShape, batchSize),
    pullBackPeakBytes: (batchSize) => bytesOf(inputShape, batchSize),
  });
}

function symmetric(padding: number): Padding {
  return { top: padding, bottom: padding, left: padding, right: padding };
}

/** Options of `bilinearUpsample`. */
export interface BilinearOptions {
  /**
   * Whether the centers of the corner pixels stay where they are (default), or the borders of the map do, as PyTorch's
   * `align_corners`.
   */
  readonly alignCorners?: boolean;
}

/** Bilinear resizing, as PyTorch's `interpolate`; for sizes that grow, since it does not average where they shrink. */
export function bilinearUpsample(
  name: string,
  inputShape: Shape3,
  outputSize: readonly [number, number],
  options: BilinearOptions = {},
): Block {
  rejectUnknownKeys('bilinearUpsample', options, ['alignCorners']);
  const { alignCorners = true } = options;
  return separableMap(
    name,
    inputShape,
    bilinearWeights(inputShape[0], outputSize[0], alignCorners),
    bilinearWeights(inputShape[1], outputSize[1], alignCorners),
  );
}

function adaptiveBins(size: number, bins: number): AxisMap {
  return Array.from({ length: bins }, (_, bin) =>
    meanOver(size, Math.floor((bin * size) / bins), Math.ceil(((bin + 1) * size) / bins)),
  );
}

function meanOver(size: number, start: number, end: number): number[] {
  return Array.from({ length: size }, (_, index) => (index >= start && index < end ? 1 / (end - start) : 0));
}

function bilinearWeights(size: number, outputSize: number, alignCorners: boolean): AxisMap {
  const aligned = outputSize > 1 ? (size - 1) / (outputSize - 1) : 0;
  return Array.from({ length: outputSize }, (_, out) => {
    const position = alignCorners ? out * aligned : Math.max(0, ((out + 0.5) * size) / outputSize - 0.5);
    const low = Math.min(Math.floor(position), size - 1);
    const high = Math.min(low + 1, size - 1);
    const line = new Array<number>(size).fill(0);
    line[low] = (line[low] ?? 0) + 1 - (position - low);
    line[high] = (line[high] ?? 0) + (position - low);
    return line;
  });
}
