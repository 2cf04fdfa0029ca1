import { LocalgradError } from '@localgrad/core';
import type { Sharp } from 'sharp';
import { headerSize, type ImageSize } from './header-size.js';
import { loadSharp } from './sharp.js';

/** A rectangle of the original image. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Operations on a decoded image, in this order. */
export interface Geometry {
  readonly region?: Region;
  /** Height and width after resizing, bilinear with antialiasing, as PIL and torchvision do. */
  readonly resize?: readonly [height: number, width: number];
  /** A rectangle of the resized image. */
  readonly crop?: Region;
  /** Mirrors left and right. */
  readonly flip?: boolean;
}

export type Channels = 1 | 3;

/** A decoded image: bytes, channels last. */
export interface DecodedImage {
  readonly height: number;
  readonly width: number;
  readonly bytes: Uint8Array;
}

/** Determines the geometry from the size of the decoded image. */
export type GeometryRule = (height: number, width: number) => Geometry;

/** The default: the whole image. */
export type Decoder = (content: Uint8Array, location: string, rule?: GeometryRule) => Promise<DecodedImage>;

/** Maximum number of pixels; files with more are damaged or malicious. */
const mostPixels = 2 ** 28;

/**
 * Creates a decoder for JPEG, PNG and the other formats of sharp; it runs in sharp's worker threads. Transparency is
 * dropped and the orientation in EXIF data is not applied, as in PIL and torchvision.
 *
 * @throws LocalgradError `missing-dependency` without sharp; the decoder `invalid-data` with the image's location
 */
export async function createDecoder(channels: Channels): Promise<Decoder> {
  const sharp = await loadSharp();
  return async (content, location, rule) => {
    try {
      const declared = headerSize(content);
      if (declared !== undefined) checkSize(declared, location);
      const source = sharp(content, { failOn: 'truncated', limitInputPixels: mostPixels, animated: false });
      const geometry = rule === undefined ? {} : rule(...(declared ?? (await sizeOf(source))));
      const { data, info } = await apply(source, geometry, channels).raw().toBuffer({ resolveWithObject: true });
      return { height: info.height, width: info.width, bytes: data };
    } catch (error) {
      if (LocalgradError.isInstance(error)) throw error;
      const message = error instanceof Error ? error.message : String(error);
      throw new LocalgradError(
        'invalid-data',
        `${location}: expected an image (JPEG, PNG, WebP, …), found ${content.length} bytes that cannot be decoded: ${message}.`,
        { path: location },
        { cause: error },
      );
    }
  };
}

function checkSize([height, width]: ImageSize, location: string): void {
  if (height * width <= mostPixels) return;
  throw new LocalgradError(
    'invalid-data',
    `${location}: its header declares ${height}×${width} pixels, more than ${mostPixels.toLocaleString('en-US')}: the file is damaged, or too large to be decoded.`,
    { path: location, height, width },
  );
}

async function sizeOf(source: Sharp): Promise<ImageSize> {
  const { height, width } = await source.metadata();
  return [height, width];
}

function apply(source: Sharp, { region, resize, crop, flip = false }: Geometry, channels: Channels): Sharp {
  let image = source;
  if (region !== undefined) image = image.extract(region);
  if (resize !== undefined) {
    const [height, width] = resize;
    image = image.resize({ width, height, fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false });
  }
  if (crop !== undefined) image = image.extract(crop);
  if (flip) image = image.flop();
  return channels === 3
    ? image.toColorspace('srgb').removeAlpha()
    : image.grayscale().toColorspace('b-w').removeAlpha();
}
