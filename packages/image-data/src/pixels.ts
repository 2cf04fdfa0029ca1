/** A decoded image whose channels, 1 to 5, lie next to each other. */
export interface Pixels {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly bytes: Uint8Array;
}
