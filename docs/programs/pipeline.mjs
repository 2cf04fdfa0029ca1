// Train a network on two worker threads, each with two of its four modules: the same bits as in one thread.
import { isMainThread } from 'node:worker_threads';
import { backboneFactory } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import { createNetwork, resolvePartition } from '@localgrad/core';
import { createBatches } from '@localgrad/data';
import { dgl } from '@localgrad/dgl';
import { compilePlan } from '@localgrad/engine';
import { sgd } from '@localgrad/nn/optimizers';
import { createRandom, createScope } from '@localgrad/nn/random';
import { createPipeline, runWorker } from '@localgrad/pipeline';
import { train } from '@localgrad/train';

/** Builds the plan, in the main program and in each worker, which then keeps its own modules only. */
function build({ modules }) {
  const scope = createScope(1);
  const backbone = backboneFactory('tiny').build({ inputShape: [8, 8, 1], classes: 2, scope });
  const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules }));
  const compiled = compilePlan(network, dgl({ head: '0c1f' }).plan(network), { scope });
  return { compiled, optimizer: sgd({ learningRate: 0.05 }) };
}

/** Dark and bright images. */
function images(size, seed) {
  const random = createRandom(seed);
  const labels = Uint8Array.from({ length: size }, (_, index) => index % 2);
  const pixels = Uint8Array.from(
    { length: size * 64 },
    (_, at) => 100 * (Math.floor(at / 64) % 2) + random.integer(100),
  );
  return { name: 'brightness', classes: ['dark', 'bright'], imageShape: [8, 8, 1], size, images: pixels, labels };
}

if (isMainThread) {
  await selectBackend('wasm');
  const batches = createBatches(images(64, 1), { batchSize: 8, shuffle: true, seed: 1 });
  const testBatches = createBatches(images(32, 2), { batchSize: 8, normalization: batches.normalization });
  const run = { learningRate: 0.05, batches, testBatches, epochs: 2 };

  const config = { modules: 4 };
  const plan = build(config);
  const pipeline = createPipeline({
    compiled: plan.compiled,
    placement: '0-1@first 2-3@second',
    program: new URL(import.meta.url),
    config,
  });
  const onWorkers = await train({ ...plan, ...run, pipeline });
  const inOneThread = await train({ ...build(config), ...run });

  const { testMetrics } = onWorkers;
  console.log(`test accuracy ${onWorkers.testAccuracy}, loss ${testMetrics.loss}`);
  console.log(testMetrics.loss === inOneThread.testMetrics.loss ? 'the same bits' : 'other bits');
} else {
  await runWorker(build);
}
