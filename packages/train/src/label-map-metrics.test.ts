import { type Backbone, type Block, createNetwork, type Shape3 } from '@localgrad/core';
import { parameterless } from '@localgrad/nn/blocks';
import { blockHead } from '@localgrad/nn/heads';
import { pixelCrossEntropy } from '@localgrad/nn/losses';
import { createRandom } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import type { BatchSource } from './batch-source.js';
import { evaluateNetwork } from './evaluation.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const [height, width] = [3, 4];
const pixelsOfImage = height * width;

function identity(name: string, shape: Shape3): Block {
  return parameterless({
    ...{ name, inputShape: shape, outputShape: shape, holdsCotangent: true, isView: true },
    reads: { input: false, output: false },
    apply: (x) => x.clone(),
    pullBack: (dy) => dy,
    applyPeakBytes: () => 0,
    pullBackPeakBytes: () => 0,
  });
}

/** A network whose scores are its images. */
function echo(classes: number) {
  const shape: Shape3 = [height, width, classes];
  const classifier = blockHead({ name: 'scores', blocks: [identity('scores', shape)], loss: pixelCrossEntropy() });
  const blocks: Backbone['blocks'] = [{ reference: [0, 0], block: identity('stem', shape) }];
  return createNetwork({ name: 'echo', config: {}, inputShape: shape, classes, blocks, classifier }, [1]);
}

interface Scored {
  readonly classes: number;
  readonly images: number;
  readonly scores: Float32Array;
  readonly masks: Int32Array;
}

/** Scores with ties; some images have few labeled pixels, and some none. */
function scored(classes: number, images: number, seed: number): Scored {
  const random = createRandom(seed);
  const ignored = Array.from({ length: images }, () => [0, 0.5, 0.95, 1][random.integer(4)] ?? 0);
  const masks = Int32Array.from({ length: images * pixelsOfImage }, (_, pixel) =>
    random.uniform() < (ignored[Math.floor(pixel / pixelsOfImage)] ?? 0) ? 255 : random.integer(classes),
  );
  const scores = Float32Array.from({ length: masks.length * classes }, () => random.integer(7) - 3);
  return { classes, images, scores, masks };
}

function batchesOf({ classes, images, scores, masks }: Scored, batchSize: number): BatchSource {
  const part = (values: Float32Array | Int32Array, perImage: number, start: number, size: number) =>
    values.slice(start * perImage, (start + size) * perImage);
  return {
    ...{ samples: images, batchSize, batchesPerEpoch: Math.ceil(images / batchSize) },
    *epoch() {
      for (let start = 0; start < images; start += batchSize) {
        const size = Math.min(batchSize, images - start);
        const tensors = {
          images: tf.tensor4d(part(scores, pixelsOfImage * classes, start, size), [size, height, width, classes]),
          masks: tf.tensor3d(part(masks, pixelsOfImage, start, size), [size, height, width], 'int32'),
        };
        yield { images: tensors.images, targets: { masks: tensors.masks }, dispose: () => tf.dispose(tensors) };
      }
    },
  };
}

/** The metrics by their definitions, pixel by pixel. */
function expected({ classes, scores, masks }: Scored) {
  const all = Array.from({ length: classes }, (_, index) => index);
  const pixels = [...masks.keys()]
    .filter((pixel) => masks[pixel] !== 255)
    .map((pixel) => {
      const row = [...scores.subarray(pixel * classes, (pixel + 1) * classes)];
      const actual = masks[pixel] ?? 0;
      const total = row.reduce((sum, score) => sum + Math.exp(score), 0);
      return { actual, predicted: row.indexOf(Math.max(...row)), loss: Math.log(total) - (row[actual] ?? 0) };
    });
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const share = (of: typeof pixels) => mean(of.map(({ actual, predicted }) => Number(actual === predicted)));
  const present = (sets: readonly (typeof pixels)[]) => mean(sets.filter(({ length }) => length > 0).map(share));
  return {
    loss: pixels.length === 0 ? 0 : mean(pixels.map(({ loss }) => loss)),
    accuracy: share(pixels),
    meanAccuracy: present(all.map((index) => pixels.filter(({ actual }) => actual === index))),
    meanIoU: present(
      all.map((index) => pixels.filter(({ actual, predicted }) => actual === index || predicted === index)),
    ),
  };
}

it('metrics of label maps are those of all labeled pixels, in batches of any size', async () => {
  const integers = (min: number, max: number) => fc.integer({ min, max });
  await fc.assert(
    fc.asyncProperty(
      integers(2, 5),
      integers(1, 6),
      integers(1, 6),
      integers(0, 1e6),
      async (classes, images, size, seed) => {
        const data = scored(classes, images, seed);
        const { metrics } = await evaluateNetwork(echo(classes), batchesOf(data, size));
        const wanted = expected(data);
        expect(Object.keys(metrics).sort()).toEqual(Object.keys(wanted).sort());
        for (const [name, value] of Object.entries(wanted)) {
          // No metric but the loss is defined where no pixel is labeled.
          if (Number.isNaN(value)) expect(metrics[name], name).toBeNaN();
          else expect(metrics[name], name).toBeCloseTo(value, 5);
        }
      },
    ),
    { numRuns: 60 },
  );
});
