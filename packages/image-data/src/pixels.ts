/** A decoded image whose channels, 3 or 4, lie next to each other. */
export interface Pixels {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly bytes: Uint8Array;
}
