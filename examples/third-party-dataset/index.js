// A third-party data set without classes: a bright square on noise, with its center as regression target and its pixels as
// mask. Generated from a seed, so that nothing has to be downloaded.
import { rejectUnknownKeys, requireOption } from '@localgrad/core';
import { createRandom } from '@localgrad/nn/random';

const name = 'acme-localgrad-squares';

/** @returns {import('@localgrad/data').ImageDataset} */
function draw(part, size, side, seed) {
  const pixels = side * side;
  const images = new Uint8Array(size * pixels);
  const masks = new Uint8Array(size * pixels);
  const centers = new Float32Array(2 * size);
  for (let index = 0; index < size; index++) {
    const random = createRandom(seed, `${part}/${index}`);
    const extent = 2 + random.integer(2);
    const [top, left] = [random.integer(side - extent + 1), random.integer(side - extent + 1)];
    for (let pixel = 0; pixel < pixels; pixel++) {
      const [row, column] = [Math.floor(pixel / side) - top, (pixel % side) - left];
      const isInside = row >= 0 && row < extent && column >= 0 && column < extent;
      masks[index * pixels + pixel] = isInside ? 1 : 0;
      images[index * pixels + pixel] = random.integer(60) + (isInside ? 190 : 0);
    }
    centers.set(
      [top, left].map((start) => (2 * (start + extent / 2)) / side - 1),
      2 * index,
    );
  }
  return {
    name,
    classes: [],
    imageShape: [side, side, 1],
    size,
    images,
    labels: new Uint8Array(0),
    targets: {
      values: { shape: [2], values: centers },
      masks: { shape: [side, side], values: masks, spatial: true },
    },
  };
}

/**
 * @param {{ train?: number, test?: number, side?: number, seed?: number }} options
 * @returns {Promise<import('@localgrad/data').DatasetSplits>}
 */
export default async function squares(options = {}) {
  rejectUnknownKeys(name, options, ['train', 'test', 'side', 'seed']);
  const { train = 1000, test = 200, side = 8, seed = 0 } = options;
  for (const [option, value] of Object.entries({ train, test })) {
    requireOption(Number.isInteger(value) && value > 0, name, option, value, 'positive integers');
  }
  requireOption(Number.isInteger(side) && side >= 4, name, 'side', side, 'integers from 4');
  const config = { dataset: name, train, test, side, seed };
  return { config, train: draw('train', train, side, seed), test: draw('test', test, side, seed) };
}
