/** Height, width and channels of one sample's feature map (channels last). */
export type Shape3 = readonly [height: number, width: number, channels: number];

/** Number of values in one sample of the given shape. */
export function sizeOf(shape: Shape3): number {
  return shape[0] * shape[1] * shape[2];
}

/** Bytes of a float32 batch of the given shape. */
export function bytesOf(shape: Shape3, batchSize: number): number {
  return 4 * batchSize * sizeOf(shape);
}

/** Whether two shapes have the same rank and extents. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}

/** Formats a shape for messages and tables, e.g. `32×32×16`; `[]` for a scalar. */
export function formatShape(shape: readonly number[]): string {
  return shape.length === 0 ? '[]' : shape.join('×');
}
