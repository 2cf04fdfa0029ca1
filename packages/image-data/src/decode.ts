import { LocalgradError } from '@localgrad/core';
import type { Sharp } from 'sharp';
import { colorsOfInk, grayOf } from './colors.js';
import { type ImageHeader, imageHeader, isJpeg } from './image-header.js';
import { interpolate, mirror, readRegion } from './interpolate.js';
import type { LabelMap } from './label-maps/png-values.js';
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
  /** Height and width after resizing, bilinear. */
  readonly resize?: readonly [height: number, width: number];
  /** Whether shrinking averages over all pixels, as in PIL and torchvision (default), or interpolates, as in OpenCV. */
  readonly antialias?: boolean;
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

/** Determines the geometry from the size of the decoded image, and its label map if it has one. */
export type GeometryRule = (height: number, width: number, map?: LabelMap) => Geometry;

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

/** sharp shrinks with antialiasing; `interpolate` does the rest. */
async function decoded(source: Sharp, header: ImageHeader, geometry: Geometry, channels: Channels): Promise<Pixels> {
  const { region, resize, crop, flip = false, antialias = true } = geometry;
  const from = region ?? { top: 0, left: 0, height: header.height, width: header.width };
  const [height, width] = resize ?? [from.height, from.width];
  const grows = height > from.height || width > from.width;
  let pixels: Pixels;
  if (grows || !antialias) {
    const part = crop ?? { top: 0, left: 0, height, width };
    pixels = await interpolated(source, header, from, [height, width], part, antialias);
    if (flip) pixels = mirror(pixels);
  } else {
    let image = region === undefined ? source : source.extract(region);
    if (resize !== undefined) image = shrunk(image, height, width);
    if (crop !== undefined) image = image.extract(crop);
    pixels = await colorsOf(flip ? image.flop() : image, header.isInk);
  }
  return channels === 3 ? pixels : grayOf(pixels);
}

/** A part of an interpolated image, from the pixels that it needs. With antialiasing, sharp shrinks the axes that do not grow. */
async function interpolated(
  source: Sharp,
  { isInk }: ImageHeader,
  from: Region,
  [newHeight, newWidth]: readonly [number, number],
  part: Region,
  antialias: boolean,
): Promise<Pixels> {
  const height = antialias ? Math.min(newHeight, from.height) : from.height;
  const width = antialias ? Math.min(newWidth, from.width) : from.width;
  const rows = { length: height, size: newHeight, start: part.top, end: part.top + part.height };
  const columns = { length: width, size: newWidth, start: part.left, end: part.left + part.width };
  const read = readRegion(rows, columns);
  const isShrunk = height < from.height || width < from.width;
  const image = isShrunk
    ? shrunk(source.extract(from), height, width).extract(read)
    : source.extract({ ...read, top: from.top + read.top, left: from.left + read.left });
  const pixels = await colorsOf(image, isInk);
  return interpolate(pixels, { ...rows, origin: read.top }, { ...columns, origin: read.left });
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
