// Writes assets/fashion-mnist-subset.bin.gz: the first images of each class, in file order, of the full data set.
// Usage: node scripts/build-subset.mjs FOLDER   (a folder with the four IDX files, gzipped or not)
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('Usage: node scripts/build-subset.mjs FOLDER');
const read = (name) => {
  const plain = join(folder, name);
  return existsSync(plain) ? readFileSync(plain) : gunzipSync(readFileSync(`${plain}.gz`));
};
const SIZE = 28 * 28;

function select(prefix, perClass) {
  const images = read(`${prefix}-images-idx3-ubyte`).subarray(16);
  const labels = read(`${prefix}-labels-idx1-ubyte`).subarray(8);
  const counts = new Array(10).fill(0);
  const chosen = [];
  labels.forEach((label, index) => {
    if (counts[label]++ < perClass) chosen.push(index);
  });
  return {
    images: Buffer.concat(chosen.map((index) => images.subarray(index * SIZE, (index + 1) * SIZE))),
    labels: Buffer.from(chosen.map((index) => labels[index])),
  };
}

// Differences to the mean of the left and upper neighbours compress better than the pixels.
function predict(images) {
  const result = Buffer.alloc(images.length);
  for (let at = 0; at < images.length; at++) {
    const inside = at % SIZE;
    const left = inside % 28 === 0 ? 0 : images[at - 1];
    const above = inside < 28 ? 0 : images[at - 28];
    result[at] = images[at] - ((left + above) >> 1);
  }
  return result;
}

const train = select('train', 500);
const test = select('t10k', 100);
const header = Buffer.alloc(16);
header.write('LGIM', 0, 'ascii');
header.writeUInt32LE(1, 4);
header.writeUInt32LE(train.labels.length, 8);
header.writeUInt32LE(test.labels.length, 12);
const body = Buffer.concat([train.labels, test.labels, predict(train.images), predict(test.images)]);
const file = Buffer.concat([header, body]);
const packed = gzipSync(file, { level: 9, memLevel: 9 });
const target = join(dirname(fileURLToPath(import.meta.url)), '../assets/fashion-mnist-subset.bin.gz');
writeFileSync(target, packed);
console.log(`${packed.length} bytes, sha256 of the content ${createHash('sha256').update(file).digest('hex')}`);
