import { LocalgradError } from '@localgrad/core';
import { createDecoder, type Decoder } from './decode.js';
import type { EncodedImages, EncodedSplits } from './encoded-images.js';
import { inOrder } from './ordered-pool.js';
import { readSample } from './read-sample.js';

/** Result of decoding every image of a data set. */
export interface ImageProblems {
  /** Number of decoded images, training and test. */
  readonly images: number;
  /** The error of each image, or its label map, that cannot be used; in the order of the images. */
  readonly problems: readonly LocalgradError[];
}

/**
 * Decodes every image and label map of a data set, and collects the errors of those that cannot be used.
 *
 * @throws LocalgradError `missing-dependency`
 */
export async function imageProblems({ train, test }: EncodedSplits): Promise<ImageProblems> {
  const decode = await createDecoder(3);
  const problems = [...(await problemsOf(train, decode)), ...(await problemsOf(test, decode))];
  return { images: train.size + test.size, problems };
}

async function problemsOf(images: EncodedImages, decode: Decoder): Promise<LocalgradError[]> {
  const problemOf = async (index: number) => {
    try {
      await readSample(images, index, decode);
      return undefined;
    } catch (error) {
      if (LocalgradError.isInstance(error) && error.code === 'invalid-data') return error;
      throw error;
    }
  };
  const problems: LocalgradError[] = [];
  for await (const problem of inOrder(images.size, 4, 16, problemOf)) {
    if (problem !== undefined) problems.push(problem);
  }
  return problems;
}
