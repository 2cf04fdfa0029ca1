import { at } from '@localgrad/core';

/**
 * Axis permutations between PyTorch's layouts and ours: convolution weights OIHW ↔ HWIO, dense weights out×in ↔ in×out,
 * activations NCHW ↔ NHWC. Other shapes are unchanged.
 */
const axes = {
  weightFromPyTorch: new Map([
    [4, [2, 3, 1, 0]],
    [2, [1, 0]],
  ]),
  weightToPyTorch: new Map([
    [4, [3, 2, 0, 1]],
    [2, [1, 0]],
  ]),
  activationFromPyTorch: new Map([[4, [0, 2, 3, 1]]]),
  activationToPyTorch: new Map([[4, [0, 3, 1, 2]]]),
} as const satisfies Record<string, ReadonlyMap<number, readonly number[]>>;

/** Values of a tensor in row-major order. */
export interface Layouted {
  /** Shape of the tensor. */
  readonly shape: readonly number[];
  /** Values in row-major order. */
  readonly data: Float32Array;
}

function convert({ shape, data }: Layouted, kind: keyof typeof axes): Layouted {
  const order: readonly number[] | undefined = axes[kind].get(shape.length as never);
  if (order === undefined) return { shape, data };
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, extent) => product * extent, 1));
  const target = order.map((axis) => at(shape, axis, 'axis'));
  const steps = order.map((axis) => at(strides, axis, 'axis'));
  const result = new Float32Array(data.length);
  let index = 0;
  const copy = (axis: number, source: number): void => {
    if (axis === target.length) {
      result[index++] = at(data, source, 'value');
      return;
    }
    const step = at(steps, axis, 'axis');
    for (let place = 0; place < at(target, axis, 'axis'); place++) copy(axis + 1, source + place * step);
  };
  // Callers that ask for the shape alone pass no data.
  if (data.length > 0) copy(0, 0);
  return { shape: target, data: result };
}

/** The shape of a weight in PyTorch's layout. */
export function weightShapeInPyTorch(shape: readonly number[]): readonly number[] {
  const order = [...axes.weightToPyTorch].find(([rank]) => rank === shape.length)?.[1];
  return order === undefined ? shape : order.map((axis) => at(shape, axis, 'axis'));
}

/** Converts a weight: [out, in, height, width] to [height, width, in, out], [out, in] to [in, out]. Other ranks are unchanged. */
export const weightFromPyTorch = (tensor: Layouted): Layouted => convert(tensor, 'weightFromPyTorch');
/** The inverse of `weightFromPyTorch`. */
export const weightToPyTorch = (tensor: Layouted): Layouted => convert(tensor, 'weightToPyTorch');
/** Converts activations: [batch, channels, height, width] to [batch, height, width, channels]. */
export const activationFromPyTorch = (tensor: Layouted): Layouted => convert(tensor, 'activationFromPyTorch');
/** The inverse of `activationFromPyTorch`. */
export const activationToPyTorch = (tensor: Layouted): Layouted => convert(tensor, 'activationToPyTorch');
