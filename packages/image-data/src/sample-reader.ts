import { type Augmentation, augment, type ImageSize } from '@localgrad/data';
import { createRandom } from '@localgrad/nn/random';
import type { Decoder } from './decode.js';
import type { EncodedImages } from './encoded-images.js';
import { type CropOptions, centralGeometry, trainingGeometry } from './geometry.js';
import { unlabeled } from './label-maps/label-map-folder.js';
import { type DecodedSample, readSample } from './read-sample.js';
import { distortColors, sampleDistortion } from './scaled-crops/color-distortion.js';
import { type ScaledCropOptions, scaledCropGeometry } from './scaled-crops/scaled-crop.js';

/** Random crops of training images, and what else changes with them. */
export type CropAugmentation = Omit<CropOptions, 'size'> | ScaledCropOptions;

/** How samples are decoded and augmented. */
export interface SampleOptions {
  readonly size: ImageSize | 'whole';
  readonly shorter?: number;
  readonly augmentation?: CropAugmentation;
  readonly shift?: Augmentation;
  readonly seed?: number;
}

/** Decodes and augments a sample of an epoch; smaller than the crop only where a scaled image is. */
export type SampleReader = (decode: Decoder, epoch: number, sample: number) => Promise<DecodedSample>;

/** Samples depend only on seed, epoch and index. @throws LocalgradError `invalid-option`; the reader `invalid-data` */
export function createSampleReader(source: EncodedImages, options: SampleOptions): SampleReader {
  const { size, shorter, augmentation, shift, seed = 0 } = options;
  if (size === 'whole') return (decode, _, sample) => readSample(source, sample, decode);
  const randomOf = (epoch: number, sample: number) => createRandom(seed, `augment/${epoch}/${sample}`);
  if (augmentation === undefined) {
    const central = centralGeometry(size, shorter);
    return async (decode, epoch, sample) => {
      const decoded = await readSample(source, sample, decode, central);
      return shift === undefined ? decoded : shifted(decoded, shift, () => randomOf(epoch, sample));
    };
  }
  if (!isScaled(augmentation)) {
    return (decode, epoch, sample) =>
      readSample(source, sample, decode, trainingGeometry({ ...augmentation, size }, randomOf(epoch, sample)));
  }
  const { distortion = {} } = augmentation;
  return async (decode, epoch, sample) => {
    const random = randomOf(epoch, sample);
    const decoded = await readSample(source, sample, decode, scaledCropGeometry(size, augmentation, random));
    if (distortion !== false) distortColors(decoded.bytes, sampleDistortion(distortion, random));
    return decoded;
  };
}

export function isScaled(augmentation: CropAugmentation): augmentation is ScaledCropOptions {
  return 'crops' in augmentation;
}

/** Image and map after the same shift and flip. */
function shifted(
  { height, width, bytes, map }: DecodedSample,
  shift: Augmentation,
  createSource: () => ReturnType<typeof createRandom>,
): DecodedSample {
  const moved = (values: Uint8Array, fill: number) => {
    const target = new Uint8Array(values.length);
    augment(values, target, [height, width, values.length / (height * width)], shift, createSource(), fill);
    return target;
  };
  return { height, width, bytes: moved(bytes, 0), ...(map === undefined ? {} : { map: moved(map, unlabeled) }) };
}
