import { LocalgradError } from '@localgrad/core';
import type { Sharp } from 'sharp';
import { grayOf } from './formats/colors.js';
import { colorsOf, formatNames, openImage, type SourceImage } from './formats/source-image.js';
import { interpolate, mirror, readRegion } from './interpolate.js';
import type { LabelMap } from './label-maps/png-values.js';
import type { Pixels } from './pixels.js';
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

/**
 * Creates a decoder for JPEG, PNG, WebP, GIF, TIFF and AVIF; it runs in sharp's worker threads. Colors are those of PIL's
 * `convert('RGB')`, as torchvision loads images: transparency is dropped, color profiles and the orientation in EXIF data are
 * not applied, of animations the first frame is decoded. Gray images of 16 bits are scaled to 8, where PIL clips them.
 *
 * @throws LocalgradError `missing-dependency` without sharp; the decoder `invalid-data` with the image's location
 */
export async function createDecoder(channels: Channels): Promise<Decoder> {
  const sharp = await loadSharp();
  return async (content, location, rule) => {
    try {
      const source = await openImage(sharp, content, location);
      const geometry = rule?.(source.height, source.width) ?? {};
      const { height, width, bytes } = await decoded(source, geometry, channels);
      return { height, width, bytes };
    } catch (error) {
      if (LocalgradError.isInstance(error)) throw error;
      const message = error instanceof Error ? error.message : String(error);
      throw new LocalgradError(
        'invalid-data',
        `${location}: expected an image (${formatNames}), found ${content.length} bytes that cannot be decoded: ${firstLine(message)}.`,
        { path: location },
        { cause: error },
      );
    }
  };
}

/** sharp repeats its messages, and some end with a dot. */
function firstLine(message: string): string {
  return message.split('\n', 1)[0]?.replace(/\.$/, '') ?? message;
}

/** sharp shrinks with antialiasing; `interpolate` does the rest. */
async function decoded(source: SourceImage, geometry: Geometry, channels: Channels): Promise<Pixels> {
  const { region, resize, crop, flip = false, antialias = true } = geometry;
  const from = region ?? { top: 0, left: 0, height: source.height, width: source.width };
  const [height, width] = resize ?? [from.height, from.width];
  const grows = height > from.height || width > from.width;
  let pixels: Pixels;
  if (grows || !antialias) {
    const part = crop ?? { top: 0, left: 0, height, width };
    pixels = await interpolated(source.image, from, [height, width], part, antialias);
    if (flip) pixels = mirror(pixels);
  } else {
    let image = region === undefined ? source.image : source.image.extract(region);
    if (resize !== undefined) image = shrunk(image, height, width);
    if (crop !== undefined) image = image.extract(crop);
    pixels = await colorsOf(flip ? image.flop() : image);
  }
  return channels === 3 ? pixels : grayOf(pixels);
}

/** A part of an interpolated image, from the pixels that it needs. With antialiasing, sharp shrinks the axes that do not grow. */
async function interpolated(
  source: Sharp,
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
  const pixels = await colorsOf(image);
  return interpolate(pixels, { ...rows, origin: read.top }, { ...columns, origin: read.left });
}

function shrunk(image: Sharp, height: number, width: number): Sharp {
  return image.resize({ width, height, fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false });
}
