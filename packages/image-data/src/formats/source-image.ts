import { LocalgradError } from '@localgrad/core';
import type { Metadata, Sharp } from 'sharp';
import type { Pixels } from '../pixels.js';
import type { SharpFactory } from '../sharp.js';
import { colorsOfInk, colorsOfLuma, grayOf16Bits } from './colors.js';
import { decodeGif, isGif } from './gif.js';
import { imageHeader, isJpeg, isPngGrayWithAlpha, withStillBrand } from './image-header.js';
import { checkTiff, isTiff } from './tiff.js';

/** An opaque image in RGB or gray, which sharp can crop and resize, and its size. */
export interface SourceImage {
  readonly image: Sharp;
  readonly height: number;
  readonly width: number;
}

/** Maximum number of pixels; files with more are damaged or malicious. */
const mostPixels = 2 ** 28;
/** Formats by the names of sharp, which reads others too; AVIF is a kind of HEIF. */
const formats: ReadonlySet<string> = new Set(['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif']);
export const formatNames = 'JPEG, PNG, WebP, GIF, TIFF or AVIF';

/**
 * Opens an image so that its colors are those of PIL's `convert('RGB')`. Most are not decoded yet; those whose colors sharp
 * would change, or would weight by transparency while it resizes, are decoded and converted first.
 *
 * @throws LocalgradError `invalid-data`; errors of sharp
 */
export async function openImage(sharp: SharpFactory, content: Uint8Array, location: string): Promise<SourceImage> {
  const declared = imageHeader(content);
  if (declared !== undefined) checkSize(declared, location);
  if (isGif(content)) return ofPixels(sharp, decodeGif(content, location, mostPixels));
  const isInTiff = isTiff(content);
  const isLuma = isInTiff && checkTiff(content, location);
  // Of damaged TIFF files, sharp would otherwise return black pixels; of JPEG files, those that PIL returns.
  const image = sharp(withStillBrand(content), {
    failOn: isInTiff ? 'error' : 'truncated',
    limitInputPixels: mostPixels,
    animated: false,
    ignoreIcc: true,
  });
  if (isJpeg(content) && declared !== undefined && !declared.isInk) return { image, ...declared };
  const metadata = await image.metadata();
  if (!formats.has(metadata.format)) {
    const message = `${location}: expected an image (${formatNames}), found the format ${metadata.format}.`;
    throw new LocalgradError('invalid-data', message, { path: location });
  }
  // PIL turns images of this format only.
  const isTurned = isInTiff && (metadata.orientation ?? 1) !== 1;
  const turned = isTurned ? image.rotate() : image;
  if (metadata.space === 'cmyk') return ofPixels(sharp, await inkPixels(turned, metadata));
  if (metadata.space === 'grey16' && !isPngGrayWithAlpha(content)) {
    const { info, values } = await wideValues(turned.removeAlpha().toColorspace('grey16'));
    return ofPixels(sharp, grayOf16Bits({ ...info, values }));
  }
  if (isLuma) return ofPixels(sharp, colorsOfLuma(await colorsOf(turned)));
  if (metadata.hasAlpha || isTurned) return ofPixels(sharp, await colorsOf(turned));
  return { image, height: metadata.height, width: metadata.width };
}

/** Decodes an image to red, green and blue. */
export async function colorsOf(image: Sharp): Promise<Pixels> {
  const { data, info } = await image.toColorspace('srgb').removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { height: info.height, width: info.width, channels: info.channels, bytes: data };
}

function checkSize(size: { readonly height: number; readonly width: number }, location: string): void {
  const { height, width } = size;
  if (height * width <= mostPixels) return;
  throw new LocalgradError(
    'invalid-data',
    `${location}: its header declares ${height}×${width} pixels, more than ${mostPixels.toLocaleString('en-US')}: the file is damaged, or too large to be decoded.`,
    { path: location, height, width },
  );
}

function ofPixels(sharp: SharpFactory, { height, width, channels, bytes }: Pixels): SourceImage {
  const raw = { height, width, channels: channels === 1 ? 1 : 3 } as const;
  return { image: sharp(bytes, { raw, limitInputPixels: mostPixels }), height, width };
}

async function inkPixels(image: Sharp, { depth }: Metadata): Promise<Pixels> {
  const ink = image.pipelineColourspace('cmyk').toColorspace('cmyk');
  if (depth === 'ushort') {
    const { info, values } = await wideValues(ink);
    return colorsOfInk({ ...info, bytes: Uint8Array.from(values, (value) => value >> 8) });
  }
  const { data, info } = await ink.raw().toBuffer({ resolveWithObject: true });
  return colorsOfInk({ height: info.height, width: info.width, channels: info.channels, bytes: data });
}

/** Decodes values of 16 bits. */
async function wideValues(image: Sharp): Promise<{ info: Omit<Pixels, 'bytes'>; values: Uint16Array }> {
  const { data, info } = await image.raw({ depth: 'ushort' }).toBuffer({ resolveWithObject: true });
  const { height, width, channels } = info;
  // Copied, since 16-bit views start at even offsets.
  return { info: { height, width, channels }, values: new Uint16Array(new Uint8Array(data).buffer) };
}
