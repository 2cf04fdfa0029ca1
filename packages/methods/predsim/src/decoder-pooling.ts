import type { Block, Shape3 } from '@localgrad/core';
import { type AxisMap, adaptiveAveragePool, separableMap } from '@localgrad/nn/blocks';

/** Window of the average pooling before the local classifier; the stride is the same. */
export type Window = readonly [height: number, width: number];

/**
 * Doubles height and width of the window in turns until at most `inputs` values are left, or the map is one pixel
 * (docs/methods/predsim.md §2). Windows are generally not square.
 */
export function poolingWindow([height, width, channels]: Shape3, inputs: number): Window {
  let [rows, columns] = [1, 1];
  const isTooLarge = () => channels * Math.ceil(height / rows) * Math.ceil(width / columns) > inputs;
  while (isTooLarge() && (rows < height || columns < width)) {
    if (rows < height) rows *= 2;
    if (isTooLarge() && columns < width) columns *= 2;
  }
  return [rows, columns];
}

/** Average pooling with `poolingWindow`; undefined where there is nothing to pool. */
export function decoderPooling(name: string, shape: Shape3, inputs: number): Block | undefined {
  const [height, width] = shape;
  const [rows, columns] = poolingWindow(shape, inputs);
  if (rows === 1 && columns === 1) return undefined;
  if (height % rows === 0 && width % columns === 0) {
    return adaptiveAveragePool(name, shape, [height / rows, width / columns]);
  }
  return separableMap(name, shape, paddedMeans(height, rows), paddedMeans(width, columns));
}

/** Means over windows of a padded axis. The zeros of the padding count. */
function paddedMeans(size: number, window: number): AxisMap {
  const count = Math.ceil(size / window);
  const padding = Math.floor((window * (count - Math.floor(size / window))) / 2);
  return Array.from({ length: count }, (_, index) => {
    const start = index * window - padding;
    return Array.from({ length: size }, (_, at) => (at >= start && at < start + window ? 1 / window : 0));
  });
}
