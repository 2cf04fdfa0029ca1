/** How a series looks in every figure of a report. */
export interface Look {
  /** Index in the palette. 0 is neutral; end-to-end training uses it exclusively if a study has any. */
  readonly color: number;
  /** Circle: has a value of the compared factor. Square: end-to-end training. Diamond: any other condition. */
  readonly shape: 'circle' | 'square' | 'diamond';
  /** Line pattern: 0 is solid, 1 the reference. Distinguishes lines of the same color. */
  readonly dash: number;
}
