// Input pipelines beside their targets: images per second of augmentation in memory (50,000), the part of a training step that it
// takes (3 %), writing a data set as PNG files beside one image after the other (2 ×), and decoding JPEG files beside sharp alone (80 %).
//   npm run build && node benchmarks/data-pipeline.mjs --images FOLDER --output FILE.csv
// --images: folder of photographs, one folder per class, or of Parquet files; without it nothing is decoded. --seconds 5: per
// figure, the best of five rounds. --workers 4: images decoded at once. --backend wasm: of the training step, end-to-end training of
// ResNet-32 of width 8 with batches of 64, the shortest step in the recipes. Exits with 1 if a target is missed. Run it on an idle machine.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cifarResNet } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import { backprop } from '@localgrad/backprop';
import { createNetwork, resolvePartition, startOfTraining } from '@localgrad/core';
import { convertToFolder, createBatches, datasetFromArrays, encodePng, loadDataset, pipelines } from '@localgrad/data';
import { compilePlan, createTrainStep } from '@localgrad/engine';
import { createImageBatches, openImages } from '@localgrad/image-data';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { ownOutput } from './own-output.mjs';

const { values } = parseArgs({
  options: {
    images: { type: 'string' },
    seconds: { type: 'string', default: '5' },
    workers: { type: 'string', default: '4' },
    backend: { type: 'string', default: 'wasm' },
    output: { type: 'string' },
  },
});
const write = await ownOutput(values.output, '"pipeline","value","unit","machine"', '\r\n');
const seconds = Number(values.seconds);
const workers = Number(values.workers);
const rounds = 5;
let missed = 0;
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

/** A step of end-to-end training on one batch. */
function trainingStep(stream) {
  const scope = createScope(1);
  const built = cifarResNet({ depth: 32, width: 8 }).build({ inputShape: [32, 32, 3], classes: 10, scope });
  const network = createNetwork(built, resolvePartition(built.blocks, { modules: 1 }));
  const compiled = compilePlan(network, backprop().plan(network), { scope });
  const trainStep = createTrainStep({ compiled, optimizer: sgd({ learningRate: 0.01 }) });
  const [batch] = stream;
  return async () => {
    const { losses } = trainStep.run(batch, startOfTraining);
    // Waits for the device.
    await Promise.all([...losses.values()].map((loss) => loss.data()));
    tf.dispose([...losses.values()]);
    return batch.size;
  };
}

const rows = [];
const note = (name, value, unit) => {
  rows.push([name, value, unit]);
  console.log(`${name.padEnd(56)} ${value.toLocaleString('en-US').padStart(10)} ${unit}`);
};
const measure = async (name, step) => {
  const perSecond = await rate(step);
  note(name, perSecond, 'images/s');
  return perSecond;
};
const target = (met, text) => {
  if (!met) missed++;
  console.log(`${met ? '✓' : '✗'} ${text}`);
};

const cifar = datasetFromArrays({
  imageShape: [32, 32, 3],
  images: Uint8Array.from({ length: 10_000 * 3072 }, (_, index) => (index * 2_654_435_761) >>> 24),
  labels: Uint8Array.from({ length: 10_000 }, (_, index) => index % 10),
});
const batchSize = 64;
const optionsOf = ({ augmentation, normalization }) => ({ batchSize, shuffle: true, augmentation, normalization });
for (const name of ['cifar10', 'svhn']) {
  const perSecond = await measure(
    `32×32, pipeline ${name}`,
    batchStep(createBatches(cifar, optionsOf(pipelines[name]))),
  );
  target(perSecond >= 50_000, 'at least 50,000 images/s');
}

const backend = await selectBackend(values.backend, { threads: 'auto' });
const batches = createBatches(cifar, optionsOf(pipelines.cifar10));
const prepared = await rate(batchStep(batches));
const trained = await rate(trainingStep(batches.epoch(0)));
note(`training step, ResNet-32 of width 8, ${backend.name}`, trained, 'images/s');
const share = Number(((100 * trained) / prepared).toFixed(2));
note('batches, share of the training step', share, '%');
target(share <= 3, 'at most 3 % of a training step');
backend.dispose();
await tf.setBackend('cpu');

const { train: gray } = await loadDataset('fashion-mnist-subset', { train: 2000, test: 10 });
const temporary = mkdtempSync(join(tmpdir(), 'localgrad-convert-'));
let converted = 0;
const oneByOne = await measure('PNG files of 28×28, encodePng one after the other', async () => {
  const folder = join(temporary, `${converted++}`);
  mkdirSync(folder);
  for (let index = 0; index < gray.size; index++) {
    const bytes = gray.images.subarray(index * 784, (index + 1) * 784);
    const file = await encodePng({ height: 28, width: 28, channels: 1, bytes });
    await writeFile(join(folder, `${index}.png`), file);
  }
  return gray.size;
});
const together = await measure('PNG files of 28×28, convertToFolder', async () => {
  const { train, test } = await convertToFolder(
    { config: {}, train: gray, test: gray },
    join(temporary, `${converted++}`),
  );
  return train + test;
});
rmSync(temporary, { recursive: true });
const factor = Number((together / oneByOne).toFixed(1));
note('convertToFolder, times as fast as one after the other', factor, '×');
target(factor >= 2, 'at least 2 × as fast');

if (values.images !== undefined) {
  const { default: sharp } = await import('sharp');
  const { train } = await openImages({ folder: values.images, holdOut: 0.01 });
  let next = 0;
  const alone = await measure(`sharp alone, resized to 224×224, ${workers} at once`, async () => {
    const chosen = Array.from({ length: workers }, () => next++ % train.size);
    const decode = async (index) =>
      sharp(await train.read(index))
        .resize(224, 224, { fit: 'fill', fastShrinkOnLoad: false })
        .raw()
        .toBuffer();
    await Promise.all(chosen.map(decode));
    return workers;
  });
  const options = { batchSize: Math.min(64, train.size), size: 224, augmentation: {}, shuffle: true, workers };
  const ours = await measure('createImageBatches, random crops of 224', batchStep(createImageBatches(train, options)));
  const part = Math.round((100 * ours) / alone);
  note('createImageBatches, part of sharp alone', part, '%');
  target(part >= 80, 'at least 80 % of sharp alone');
}

const machine = `${cpus()[0]?.model}, ${availableParallelism()} cores, Node ${process.versions.node}`;
await write(rows.map((row) => [...row, machine].map((cell) => `"${cell}"`).join(',')));
if (missed > 0) process.exitCode = 1;
