import { rejectUnknownKeys, requireOption } from '@localgrad/core';
import type { DatasetSplits, ImageDataset } from '@localgrad/data';
import { createRandom } from '@localgrad/nn/random';

const name = 'localgrad-template';
const classes = ['rising', 'falling', 'flat'];

export interface DatasetOptions {
  /** Number of training images. Default 600. */
  readonly train?: number;
  /** Number of test images. Default 150. */
  readonly test?: number;
}

/**
 * Noisy lines of three slopes, 16×16, drawn from a seed. Replace `draw` with what reads your own files; it may be
 * asynchronous.
 */
export async function dataset(options: DatasetOptions = {}): Promise<DatasetSplits> {
  rejectUnknownKeys(name, options, ['train', 'test']);
  const { train = 600, test = 150 } = options;
  requireOption(Number.isInteger(train) && train > 0, name, 'train', train, 'positive integers');
  requireOption(Number.isInteger(test) && test > 0, name, 'test', test, 'positive integers');
  return { config: { dataset: name, train, test }, train: draw('train', train), test: draw('test', test) };
}

/** Images are bytes, channels last; labels are indices into `classes`. */
function draw(split: string, size: number): ImageDataset {
  const side = 16;
  const images = new Uint8Array(size * side * side);
  const labels = new Uint8Array(size);
  for (let index = 0; index < size; index++) {
    const random = createRandom(1, `${split}/${index}`);
    const label = index % classes.length;
    const slope = [1, -1, 0][label] ?? 0;
    labels[index] = label;
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        const distance = Math.abs(row - side / 2 - slope * (column - side / 2));
        images[(index * side + row) * side + column] = (distance < 2 ? 180 : 20) + random.integer(60);
      }
    }
  }
  return { name, classes, imageShape: [side, side, 1], size, images, labels };
}
