import { LocalgradError } from '@localgrad/core';
import type { DecodedImage, Decoder, Geometry, GeometryRule } from './decode.js';
import type { EncodedImages, EncodedMaps } from './encoded-images.js';
import { transformMap } from './label-maps/map-geometry.js';

/** A decoded image, and the classes of its pixels if it has a label map. */
export interface DecodedSample extends DecodedImage {
  readonly map?: Uint8Array;
}

/**
 * Decodes one image, and its label map with the same geometry.
 *
 * @throws LocalgradError `invalid-data`
 */
export async function readSample(
  source: EncodedImages,
  index: number,
  decode: Decoder,
  rule: GeometryRule = () => ({}),
): Promise<DecodedSample> {
  let original: readonly [number, number] = [0, 0];
  let geometry: Geometry = {};
  const image = await decode(await source.read(index), source.locate(index), (height, width) => {
    original = [height, width];
    geometry = rule(height, width);
    return geometry;
  });
  if (source.maps === undefined) return image;
  const map = await readMap(source, source.maps, index, original);
  return { ...image, map: transformMap(map, geometry).values };
}

async function readMap(
  source: EncodedImages,
  maps: EncodedMaps,
  index: number,
  [height, width]: readonly [number, number],
) {
  const map = await maps.read(index);
  if (map.height === height && map.width === width) return map;
  throw new LocalgradError(
    'invalid-data',
    `${maps.locate(index)}: expected ${height}×${width} pixels, as ${source.locate(index)} has; found ${map.height}×${map.width}.`,
    { path: maps.locate(index) },
  );
}
