import { LocalgradError } from '@localgrad/core';
import type { Sharp } from 'sharp';
import { colorsOfInk, grayOf } from './colors.js';
import { enlarge, mirror } from './enlarge.js';
import { type ImageHeader, imageHeader, isJpeg } from './image-header.js';
import type { Pixels } from './pixels.js';
import { loadSharp, type SharpFactory } from './sharp.js';

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
 * dropped, color profiles and the orientation in EXIF data are not applied, as in PIL and torchvision.
 *
 * @throws LocalgradError `missing-dependency` without sharp; the decoder `invalid-data` with the image's location
 */
export async function createDecoder(channels: Channels): Promise<Decoder> {
  const sharp = await loadSharp();
  return async (content, location, rule) => {
    try {
      const declared = imageHeader(content);
      if (declared !== undefined) checkSize(declared, location);
      const source = sharp(content, {
        failOn: 'truncated',
        limitInputPixels: mostPixels,
        animated: false,
        ignoreIcc: true,
      });
      const { image, header } =
        isJpeg(content) && declared !== undefined ? { image: source, header: declared } : await opaque(sharp, source);
      const geometry = rule?.(header.height, header.width) ?? {};
      const { height, width, bytes } = await decoded(image, header, geometry, channels);
      return { height, width, bytes };
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

function checkSize({ height, width }: ImageHeader, location: string): void {
  if (height * width <= mostPixels) return;
  throw new LocalgradError(
    'invalid-data',
    `${location}: its header declares ${height}×${width} pixels, more than ${mostPixels.toLocaleString('en-US')}: the file is damaged, or too large to be decoded.`,
    { path: location, height, width },
  );
}

/**
 * Removes transparency, since sharp would weight the colors by it while it resizes, and applies the orientation of a TIFF file,
 * as PIL does for this format only. Other images are not decoded yet.
 */
async function opaque(sharp: SharpFactory, source: Sharp): Promise<{ image: Sharp; header: ImageHeader }> {
  const { height, width, space, hasAlpha, format, orientation = 1 } = await source.metadata();
  const isInk = space === 'cmyk';
  const isTurned = format === 'tiff' && orientation !== 1;
  if (isInk || !(hasAlpha || isTurned)) return { image: source, header: { height, width, isInk } };
  const colors = await colorsOf(isTurned ? source.rotate() : source, isInk);
  const raw = { height: colors.height, width: colors.width, channels: 3 } as const;
  return { image: sharp(colors.bytes, { raw, limitInputPixels: mostPixels }), header: { ...raw, isInk } };
}

/** sharp shrinks; axes that grow are left to `enlarge`, and what follows them to it and `mirror`. */
async function decoded(source: Sharp, header: ImageHeader, geometry: Geometry, channels: Channels): Promise<Pixels> {
  const { region, resize, crop, flip = false } = geometry;
  const { height, width } = region ?? header;
  const [newHeight, newWidth] = resize ?? [height, width];
  const grows = newHeight > height || newWidth > width;
  let image = region === undefined ? source : source.extract(region);
  if (resize !== undefined) image = shrunk(image, Math.min(newHeight, height), Math.min(newWidth, width));
  if (crop !== undefined && !grows) image = image.extract(crop);
  if (flip && !grows) image = image.flop();
  let pixels = await colorsOf(image, header.isInk);
  if (grows) {
    const part = crop ?? { top: 0, left: 0, height: newHeight, width: newWidth };
    const rows = { size: newHeight, start: part.top, end: part.top + part.height };
    const columns = { size: newWidth, start: part.left, end: part.left + part.width };
    pixels = enlarge(pixels, rows, columns);
    if (flip) pixels = mirror(pixels);
  }
  return channels === 3 ? pixels : grayOf(pixels);
}

function shrunk(image: Sharp, height: number, width: number): Sharp {
  return image.resize({ width, height, fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false });
}

async function colorsOf(image: Sharp, isInk: boolean): Promise<Pixels> {
  const plain = isInk
    ? image.pipelineColourspace('cmyk').toColorspace('cmyk')
    : image.toColorspace('srgb').removeAlpha();
  const { data, info } = await plain.raw().toBuffer({ resolveWithObject: true });
  const pixels = { height: info.height, width: info.width, channels: info.channels, bytes: data };
  return isInk ? colorsOfInk(pixels) : pixels;
}
