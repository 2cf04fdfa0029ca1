import { LocalgradError } from '@localgrad/core';
import type { DecodedImage, Decoder, Geometry, GeometryRule } from './decode.js';
import type { EncodedImages } from './encoded-images.js';
import { transformMap } from './label-maps/map-geometry.js';
import type { LabelMap } from './label-maps/png-values.js';

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
  const { maps } = source;
  const map = await maps?.read(index);
  let geometry: Geometry = {};
  const image = await decode(await source.read(index), source.locate(index), (height, width) => {
    if (maps !== undefined && map !== undefined && (map.height !== height || map.width !== width)) {
      throw differentSize(maps.locate(index), map, source.locate(index), [height, width]);
    }
    geometry = rule(height, width, map);
    return geometry;
  });
  return map === undefined ? image : { ...image, map: transformMap(map, geometry).values };
}

function differentSize(
  path: string,
  map: LabelMap,
  image: string,
  [height, width]: readonly [number, number],
): LocalgradError {
  return new LocalgradError(
    'invalid-data',
    `${path}: expected ${height}×${width} pixels, as ${image} has; found ${map.height}×${map.width}.`,
    { path },
  );
}
