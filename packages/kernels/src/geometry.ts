/** Shape of a four-dimensional tensor: [batch, height, width, channels], or of a filter [kh, kw, ci, co]. */
export type Shape4 = readonly [number, number, number, number];

/** One value for both axes, or one for each. */
export type PerAxis = number | readonly [height: number, width: number];

/**
 * Stride and zero padding. The padding is the same on opposite sides, as in PyTorch (TensorFlow's `same` pads
 * asymmetrically at stride 2).
 */
export interface ConvolutionGeometry {
  readonly stride: PerAxis;
  readonly padding: PerAxis;
}

/** Windows of a pooling operation. Each must contain at least one cell of the map. */
export interface PoolingGeometry {
  readonly window: readonly [height: number, width: number];
  readonly stride: readonly [height: number, width: number];
  /**
   * Padding cells, which count as missing, never as zeros. `bottom` and `right` only determine the size of the output,
   * ⌊(size + padding − window) / stride⌋ + 1; they are negative if the last windows end before the map does.
   */
  readonly padding: Padding;
}

export interface Padding {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}
