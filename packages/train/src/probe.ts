import { at, evaluationMode, LocalgradError, type Network, rejectUnknownKeys } from '@localgrad/core';
import { requireTarget } from '@localgrad/nn/losses';
import * as tf from '@tensorflow/tfjs';
import type { BatchSource, OwnedBatch } from './batch-source.js';
import { fitRidge, nonFiniteFeatures } from './ridge.js';
import { nextTurn } from './run-setup.js';

/** Options of `probeModules`. */
export interface ProbeOptions {
  /** The trained network; not changed. */
  readonly network: Network;
  /** Images to fit the probes to; the first epoch is used. */
  readonly batches: BatchSource;
  /** Held-out images to measure the accuracy on. */
  readonly testBatches: BatchSource;
  /**
   * Ridge added to the diagonal of XᵀX, relative to the diagonal's mean; X contains the features and a one for the
   * bias. Default 1e-3.
   */
  readonly ridge?: number;
}

/** Cells per side of the grid over which features are averaged. */
const cells = 2;

/**
 * Measures the linear separability of each module's output: a linear classifier is fitted in closed form (ridge
 * regression on one-hot labels) to the output, averaged over a grid of 2×2 cells, and tested on held-out images. The
 * ridge applies to uncentered second moments, and the bias is penalized like any weight. The network runs in evaluation
 * mode and is not changed. Follows the linear probes of Alain & Bengio (arXiv 1610.01644), which publications on local
 * learning report by layer.
 *
 * @returns test accuracy in [0, 1] by module
 * @throws LocalgradError `invalid-data` when features are not finite, or when there are no images
 */
export async function probeModules(options: ProbeOptions): Promise<number[]> {
  rejectUnknownKeys('probeModules', options, ['network', 'batches', 'testBatches', 'ridge']);
  const { network, batches, testBatches, ridge = 1e-3 } = options;
  const moments: (Moments | undefined)[] = network.modules.map(() => undefined);
  const weights: tf.Tensor2D[] = [];
  const counts: tf.Tensor[] = [];
  try {
    await eachBatch(network, batches, (module, features, labels) => {
      moments[module] = tf.tidy(() => addMoments(moments[module], features, labels, network.classes));
    });
    for (const own of moments) {
      if (own === undefined) throw new LocalgradError('invalid-data', 'A probe needs at least one batch of images.');
      const [features = 0] = own.products.shape;
      const solution = fitRidge(await own.products.data(), await own.targets.data(), features, network.classes, ridge);
      weights.push(tf.tensor2d(solution, [features, network.classes]));
    }
    const hits = new Float64Array(network.modules.length);
    let samples = 0;
    await eachBatch(network, testBatches, (module, features, labels) => {
      if (module === 0) samples += labels.shape[0];
      counts.push(
        tf.tidy(() => {
          const scores = tf.matMul(features, at(weights, module, 'probe'));
          const count = tf.sum(tf.cast(tf.equal(tf.argMax(scores, 1), labels), 'float32'));
          // NaN if a score is not finite, which argMax would take for a class.
          return tf.add(count, tf.sum(tf.mul(scores, 0)));
        }),
      );
    });
    for (const [index, count] of counts.entries()) {
      const module = index % network.modules.length;
      const found = at(await count.data(), 0, 'count');
      if (Number.isNaN(found)) throw nonFiniteFeatures();
      hits[module] = at(hits, module, 'module') + found;
    }
    return Array.from(hits, (count) => count / samples);
  } finally {
    tf.dispose([...counts, ...weights]);
    for (const own of moments) if (own !== undefined) tf.dispose([own.products, own.targets]);
  }
}

/** Products of the features with themselves and with the one-hot labels. */
type Moments = {
  readonly products: tf.Tensor2D;
  readonly targets: tf.Tensor2D;
};

function addMoments(before: Moments | undefined, features: tf.Tensor2D, labels: tf.Tensor1D, classes: number): Moments {
  const targets = tf.cast(tf.oneHot(labels, classes), 'float32') as tf.Tensor2D;
  const products: tf.Tensor2D = tf.matMul(features, features, true);
  const crossed: tf.Tensor2D = tf.matMul(features, targets, true);
  if (before === undefined) return { products, targets: crossed };
  const next = {
    products: tf.add<tf.Tensor2D>(before.products, products),
    targets: tf.add<tf.Tensor2D>(before.targets, crossed),
  };
  tf.dispose([before.products, before.targets]);
  return next;
}

async function eachBatch(
  network: Network,
  batches: BatchSource,
  visit: (module: number, features: tf.Tensor2D, labels: tf.Tensor1D) => void,
): Promise<void> {
  for await (const batch of batches.epoch(0)) {
    visitModules(network, batch, visit);
    await nextTurn();
  }
}

function visitModules(
  network: Network,
  batch: OwnedBatch,
  visit: (module: number, features: tf.Tensor2D, labels: tf.Tensor1D) => void,
): void {
  const labels = requireTarget(batch.targets, 'labels', 'probeModules');
  let x = batch.images;
  for (const { index, blocks } of network.modules) {
    for (const block of blocks) {
      const pass = block.forward(x, evaluationMode);
      pass.release();
      if (x !== batch.images) x.dispose();
      x = pass.output;
    }
    const output = x;
    const features = tf.tidy(() => pooled(output));
    visit(index, features, labels);
    features.dispose();
  }
  if (x !== batch.images) x.dispose();
  batch.dispose();
}

/** Averages over a grid of cells, plus a one for the bias: [batch, cells² · channels + 1]. */
function pooled(x: tf.Tensor4D): tf.Tensor2D {
  const [batch, height, width, channels] = x.shape;
  const rows = Math.min(cells, height);
  const columns = Math.min(cells, width);
  const parts: tf.Tensor2D[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const top = Math.floor((row * height) / rows);
      const left = Math.floor((column * width) / columns);
      const size: [number, number, number, number] = [
        batch,
        Math.floor(((row + 1) * height) / rows) - top,
        Math.floor(((column + 1) * width) / columns) - left,
        channels,
      ];
      parts.push(tf.mean(tf.slice4d(x, [0, top, left, 0], size), [1, 2]));
    }
  }
  return tf.concat2d([...parts, tf.ones<tf.Rank.R2>([batch, 1])], 1);
}
