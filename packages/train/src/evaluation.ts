import type { Network } from '@localgrad/core';
import { predict } from '@localgrad/engine';
import { currentKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import type { BatchSource } from './batch-source.js';
import { nextTurn } from './run-setup.js';

export interface EvaluationResult {
  /** Share of samples whose highest score is their label, in [0, 1]. */
  readonly accuracy: number;
  /** Mean cross-entropy. */
  readonly loss: number;
  readonly samples: number;
}

/** Accuracy and loss of the plain backbone: auxiliary networks take no part. Reads back once, at the end. */
export async function evaluateNetwork(network: Network, batches: BatchSource): Promise<EvaluationResult> {
  let totals = tf.zeros([2]);
  let samples = 0;
  try {
    for (const batch of batches.epoch(0)) {
      const size = batch.images.shape[0];
      const next = tf.tidy(() => {
        const scores = predict(network, batch.images);
        const { loss } = currentKernels().softmaxCrossEntropy(scores, batch.targets.labels, 0);
        const hits = tf.sum(tf.cast(tf.equal(tf.argMax(scores, 1), batch.targets.labels), 'float32'));
        return tf.add(totals, tf.stack([hits, tf.mul(loss, size)]));
      });
      batch.dispose();
      totals.dispose();
      totals = next;
      samples += size;
      await nextTurn();
    }
    const [hits = 0, loss = 0] = await totals.data();
    return { accuracy: hits / samples, loss: loss / samples, samples };
  } finally {
    totals.dispose();
  }
}
