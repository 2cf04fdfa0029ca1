/** A dense matrix of doubles in row-major order. */
export class Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly #values: Float64Array;

  /** Copies the values. */
  constructor(values: ArrayLike<number>, rows: number, columns: number) {
    this.rows = rows;
    this.columns = columns;
    this.#values = Float64Array.from(values);
  }

  get(row: number, column: number): number {
    return this.#values[row * this.columns + column] ?? Number.NaN;
  }

  set(row: number, column: number, value: number): void {
    this.#values[row * this.columns + column] = value;
  }

  toFloat32(): Float32Array {
    return Float32Array.from(this.#values);
  }
}
