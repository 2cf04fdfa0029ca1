// Input pipelines: images per second of augmentation in memory, and of decoding JPEG files beside sharp alone.
//   npm run build && node benchmarks/data-pipeline.mjs [--images FOLDER] [--seconds 5] [--workers 4] [--output FILE.csv]
// --images: folder of photographs, one folder per class; without it only augmentation is measured. Each figure is the best of
// five rounds. Run it on an idle machine.
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { createBatches, datasetFromArrays, pipelines } from '@localgrad/data';
import { createImageBatches, openImages } from '@localgrad/image-data';
import * as tf from '@tensorflow/tfjs';

const { values } = parseArgs({
  options: {
    images: { type: 'string' },
    seconds: { type: 'string', default: '5' },
    workers: { type: 'string', default: '4' },
    output: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const workers = Number(values.workers);
const rounds = 5;
await tf.setBackend('cpu');

/** Images per second of the best of several rounds; `step` returns the number of images it prepared. */
async function rate(step) {
  await step();
  let best = 0;
  for (let round = 0; round < rounds; round++) {
    let count = 0;
    const start = performance.now();
    while (performance.now() - start < (seconds * 1000) / rounds) count += await step();
    best = Math.max(best, (count * 1000) / (performance.now() - start));
  }
  return Math.round(best);
}

/** A step that prepares one batch after the other, epoch after epoch. */
function batchStep(batches) {
  const stream = batches.stream();
  const iterator = stream[Symbol.asyncIterator]?.() ?? stream[Symbol.iterator]();
  return async () => {
    const { value } = await iterator.next();
    value.dispose();
    return value.size;
  };
}

const rows = [];
const measure = async (name, step) => {
  const perSecond = await rate(step);
  rows.push([name, perSecond]);
  console.log(`${name.padEnd(44)} ${perSecond.toLocaleString('en-US').padStart(10)} images/s`);
  return perSecond;
};

const cifar = datasetFromArrays({
  imageShape: [32, 32, 3],
  images: Uint8Array.from({ length: 10_000 * 3072 }, (_, index) => (index * 2_654_435_761) >>> 24),
  labels: Uint8Array.from({ length: 10_000 }, (_, index) => index % 10),
});
for (const name of ['cifar10', 'svhn']) {
  const { augmentation, normalization } = pipelines[name];
  const options = { batchSize: 128, shuffle: true, augmentation, normalization };
  await measure(`32×32, pipeline ${name}`, batchStep(createBatches(cifar, options)));
}

if (values.images !== undefined) {
  const { default: sharp } = await import('sharp');
  const { train } = await openImages({ folder: values.images, holdOut: 0.01 });
  const files = Array.from({ length: train.size }, (_, index) => train.locate(index));
  let next = 0;
  const alone = await measure(`sharp alone, resized to 224×224, ${workers} at once`, async () => {
    const chosen = Array.from({ length: workers }, () => files[next++ % files.length]);
    const decode = (file) =>
      sharp(readFileSync(file)).resize(224, 224, { fit: 'fill', fastShrinkOnLoad: false }).raw().toBuffer();
    await Promise.all(chosen.map(decode));
    return workers;
  });
  const options = { batchSize: Math.min(64, train.size), size: 224, augmentation: {}, shuffle: true, workers };
  const ours = await measure('createImageBatches, random crops of 224', batchStep(createImageBatches(train, options)));
  console.log(`${((100 * ours) / alone).toFixed(0)} % of sharp alone`);
}

if (values.output !== undefined) {
  const machine = `${cpus()[0]?.model}, ${availableParallelism()} cores, Node ${process.versions.node}`;
  const lines = [['pipeline', 'images_per_second', 'machine'], ...rows.map((row) => [...row, machine])];
  writeFileSync(
    values.output,
    lines
      .map((line) => line.map((cell) => `"${cell}"`).join(','))
      .join('\r\n')
      .concat('\r\n'),
  );
}
