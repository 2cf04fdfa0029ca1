import type { Geometry } from '../decode.js';
import type { LabelMap } from './png-values.js';

/** A label map after the geometry of its image. A resized pixel has the class of the nearest one, as in PIL. */
export function transformMap(map: LabelMap, { region, resize, crop, flip = false }: Geometry): LabelMap {
  const { top, left, height, width } = region ?? { top: 0, left: 0, height: map.height, width: map.width };
  const [newHeight, newWidth] = resize ?? [height, width];
  const part = crop ?? { top: 0, left: 0, height: newHeight, width: newWidth };
  const nearest = (start: number, index: number, from: number, to: number) =>
    start + Math.min(from - 1, Math.floor(((index + 0.5) * from) / to));
  const columns = Int32Array.from({ length: part.width }, (_, column) =>
    nearest(left, part.left + (flip ? part.width - 1 - column : column), width, newWidth),
  );
  const values = new Uint8Array(part.height * part.width);
  for (let row = 0; row < part.height; row++) {
    const source = nearest(top, part.top + row, height, newHeight) * map.width;
    for (let column = 0; column < part.width; column++) {
      values[row * part.width + column] = map.values[source + (columns[column] ?? 0)] ?? 0;
    }
  }
  return { height: part.height, width: part.width, values };
}
