import type { Geometry } from '../decode.js';
import type { LabelMap } from './png-values.js';

/** A label map after the geometry of its image. A resized pixel has the class of the nearest one, as in PIL. */
export function transformMap(map: LabelMap, { region, resize, crop, flip = false }: Geometry): LabelMap {
  const { top, left, height, width } = region ?? { top: 0, left: 0, height: map.height, width: map.width };
  const [newHeight, newWidth] = resize ?? [height, width];
  const part = crop ?? { top: 0, left: 0, height: newHeight, width: newWidth };
  const rows = nearestPixels(height, newHeight).subarray(part.top, part.top + part.height);
  const columns = nearestPixels(width, newWidth).subarray(part.left, part.left + part.width);
  if (flip) columns.reverse();
  const values = new Uint8Array(part.height * part.width);
  let at = 0;
  for (const row of rows) {
    const source = (top + row) * map.width + left;
    for (const column of columns) values[at++] = map.values[source + column] ?? 0;
  }
  return { height: part.height, width: part.width, values };
}

/**
 * The nearest of the pixels of an axis to each of those of the resized axis. Positions are added up as in PIL, so that rounding
 * decides alike where two pixels are equally near.
 */
function nearestPixels(length: number, size: number): Int32Array {
  const step = length / size;
  const pixels = new Int32Array(size);
  let position = step / 2;
  for (let index = 0; index < size; index++) {
    pixels[index] = Math.min(length - 1, Math.floor(position));
    position += step;
  }
  return pixels;
}
