import { LocalgradError, rejectUnknownKeys, requireOption, type Shape3 } from '@localgrad/core';
import type { ImageDataset } from './dataset.js';
import { type ImageSize, requireSize, sidesOf } from './image-size.js';

function mapImages(
  dataset: ImageDataset,
  imageShape: Shape3,
  transform: (source: Uint8Array, target: Uint8Array) => void,
): ImageDataset {
  const [height, width] = dataset.imageShape;
  const moved = Object.entries(dataset.targets ?? {}).find(([, { spatial }]) => spatial === true)?.[0];
  if (moved !== undefined && (height !== imageShape[0] || width !== imageShape[1])) {
    throw new LocalgradError(
      'invalid-option',
      `Data set '${dataset.name}' has target '${moved}' for each pixel, so its images cannot be resized or padded separately; preprocess images and target together.`,
      { name: dataset.name, target: moved },
    );
  }
  const from = dataset.images.length / dataset.size;
  const to = imageShape[0] * imageShape[1] * imageShape[2];
  const images = new Uint8Array(dataset.size * to);
  for (let index = 0; index < dataset.size; index++) {
    transform(dataset.images.subarray(index * from, (index + 1) * from), images.subarray(index * to, (index + 1) * to));
  }
  return { ...dataset, imageShape, images };
}

/** Maximum bytes of a data set's images in memory. */
const mostBytes = 2 ** 32;

/** Largest height and width for which the images of a data set fit in 4 GiB. */
function largestSide({ size, imageShape }: ImageDataset): number {
  return Math.floor(Math.sqrt(mostBytes / (size * imageShape[2])));
}

/** Centers every image in a black square, e.g. 28×28 in 32×32. */
export function padTo(dataset: ImageDataset, size: number): ImageDataset {
  const [height, width, channels] = dataset.imageShape;
  requireOption(
    Number.isInteger(size) && size >= Math.max(height, width) && size <= largestSide(dataset),
    'padTo',
    'size',
    size,
    `integers from ${Math.max(height, width)} to ${largestSide(dataset)}`,
  );
  const top = (size - height) >> 1;
  const left = (size - width) >> 1;
  return mapImages(dataset, [size, size, channels], (source, target) => {
    for (let row = 0; row < height; row++) {
      const line = source.subarray(row * width * channels, (row + 1) * width * channels);
      target.set(line, ((top + row) * size + left) * channels);
    }
  });
}

/**
 * Resizes to a height and width; one number for squares. Downscaling averages the area that a pixel covers, including fractions of pixels (28 → 16: 1.75
 * × 1.75 pixels; 28 → 14: exactly 2 × 2); upscaling interpolates linearly between pixel centers, clamped at the border.
 * Values are rounded to bytes, halves up. Height and width are processed separately, so mixed cases work.
 */
export function resizeTo(dataset: ImageDataset, size: ImageSize): ImageDataset {
  requireSize('resizeTo', 'size', size, largestSide(dataset));
  const [newHeight, newWidth] = sidesOf(size);
  const [height, width, channels] = dataset.imageShape;
  if (newHeight === height && newWidth === width) return dataset;
  const [rows, columns] = [listed(axisWeights(height, newHeight)), listed(axisWeights(width, newWidth))];
  return mapImages(dataset, [newHeight, newWidth, channels], (source, target) => {
    let index = 0;
    for (let y = 0; y < newHeight; y++) {
      const [firstRow, endRow] = [rows.starts[y] as number, rows.starts[y + 1] as number];
      for (let x = 0; x < newWidth; x++) {
        const [firstColumn, endColumn] = [columns.starts[x] as number, columns.starts[x + 1] as number];
        for (let channel = 0; channel < channels; channel++) {
          let value = 0;
          for (let row = firstRow; row < endRow; row++) {
            const line = (rows.pixels[row] as number) * width;
            for (let column = firstColumn; column < endColumn; column++) {
              const weight = (rows.weights[row] as number) * (columns.weights[column] as number);
              const pixel = line + (columns.pixels[column] as number);
              value += weight * (source[pixel * channels + channel] as number);
            }
          }
          target[index++] = Math.round(value);
        }
      }
    }
  });
}

/** The pairs of all pixels in typed arrays, which are read many times as fast: those of pixel i from `starts[i]` to `starts[i + 1]`. */
function listed(pixels: readonly (readonly (readonly [index: number, weight: number])[])[]) {
  const pairs = pixels.flat();
  const starts = new Uint32Array(pixels.length + 1);
  pixels.forEach(({ length }, pixel) => {
    starts[pixel + 1] = (starts[pixel] as number) + length;
  });
  return {
    starts,
    pixels: Uint32Array.from(pairs, ([index]) => index),
    weights: Float64Array.from(pairs, ([, weight]) => weight),
  };
}

/** For each new pixel, the contributing old pixels and their weights, which sum to 1. */
function axisWeights(from: number, to: number): [index: number, weight: number][][] {
  const scale = from / to;
  return Array.from({ length: to }, (_, pixel) => {
    if (scale >= 1) {
      const [start, end] = [pixel * scale, (pixel + 1) * scale];
      const result: [number, number][] = [];
      for (let index = Math.floor(start); index < Math.min(from, Math.ceil(end - 1e-9)); index++) {
        result.push([index, (Math.min(end, index + 1) - Math.max(start, index)) / scale]);
      }
      return result;
    }
    const center = Math.min(from - 1, Math.max(0, (pixel + 0.5) * scale - 0.5));
    const low = Math.floor(center);
    const high = Math.min(from - 1, low + 1);
    return [
      [low, 1 - (center - low)],
      [high, center - low],
    ];
  });
}

/** Repeats the single channel of gray images. */
export function replicateChannels(dataset: ImageDataset, channels: number): ImageDataset {
  requireOption(Number.isInteger(channels) && channels >= 1, 'replicateChannels', 'channels', channels, 'integers ≥ 1');
  const [height, width, found] = dataset.imageShape;
  requireOption(found === 1, 'replicateChannels', 'dataset', `${found} channels`, 'data sets of one channel');
  return mapImages(dataset, [height, width, channels], (source, target) => {
    for (let index = 0; index < target.length; index++) target[index] = source[Math.floor(index / channels)] as number;
  });
}

/** Mean and standard deviation per channel, for values in [0, 1]. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** @throws LocalgradError `invalid-option` unless there are a mean and a positive deviation of each channel */
export function checkNormalization(where: string, normalization: Normalization, channels: number): void {
  const allowed = `mean and positive deviation of ${channels} channels`;
  requireOption(typeof normalization === 'object', where, 'normalization', normalization, allowed);
  rejectUnknownKeys(`${where}, normalization`, normalization, ['mean', 'deviation']);
  const { mean, deviation } = normalization;
  const isPerChannel = (values: unknown, isValue: (value: number) => boolean) =>
    Array.isArray(values) && values.length === channels && values.every(isValue);
  requireOption(
    isPerChannel(mean, Number.isFinite) && isPerChannel(deviation, (value) => Number.isFinite(value) && value > 0),
    where,
    'normalization',
    normalization,
    allowed,
  );
}

/** Published normalization constants (docs/methods/training.md §1). */
export const normalizations = {
  cifar10: {
    mean: [125.3 / 255, 123.0 / 255, 113.9 / 255],
    deviation: [63.0 / 255, 62.1 / 255, 66.7 / 255],
  },
  half: { mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] },
  imagenet: { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] },
} as const satisfies Record<string, Normalization>;

/** Measures mean and standard deviation per channel over all pixels of a data set. */
export function measureNormalization({
  images,
  imageShape,
}: Pick<ImageDataset, 'images' | 'imageShape'>): Normalization {
  const channels = imageShape[2];
  // Sums of bytes are exact, so that the deviation of equal pixels is 0.
  const sums = new Array<number>(channels).fill(0);
  const squares = new Array<number>(channels).fill(0);
  images.forEach((byte, index) => {
    sums[index % channels] = (sums[index % channels] as number) + byte;
    squares[index % channels] = (squares[index % channels] as number) + byte * byte;
  });
  const count = images.length / channels;
  const mean = sums.map((sum) => sum / count / 255);
  const deviation = squares.map((square, channel) => {
    // Exceeds the integers that a number represents exactly.
    const spread = BigInt(count) * BigInt(square) - BigInt(sums[channel] as number) ** 2n;
    return Math.sqrt(Number(spread)) / count / 255;
  });
  return { mean, deviation };
}

/**
 * The measured normalization of a data set, with which its images can be normalized.
 *
 * @throws LocalgradError `invalid-data` for a channel that has the same value in every image
 */
export function measuredNormalization(dataset: Pick<ImageDataset, 'name' | 'images' | 'imageShape'>): Normalization {
  const measured = measureNormalization(dataset);
  const constant = measured.deviation.findIndex((value) => !(value > 0));
  if (constant < 0) return measured;
  const { name } = dataset;
  throw new LocalgradError(
    'invalid-data',
    `Data set '${name}': channel ${constant} has the same value in every image, so its deviation is 0 and it cannot be ` +
      "normalized. Remove the channel, or pass 'normalization' with a positive deviation.",
    { name, channel: constant },
  );
}
