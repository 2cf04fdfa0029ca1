import { backboneFactory } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import { createNetwork, resolvePartition } from '@localgrad/core';
import { createBatches, fashionMnistSubset, take } from '@localgrad/data';
import { dgl } from '@localgrad/dgl';
import { compilePlan } from '@localgrad/engine';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import { train } from '@localgrad/train';

/** Trains on 500 images for one epoch. */
async function run({ backend: name = 'wasm', threads = 'auto', folder: wasmPaths }) {
  const backend = await selectBackend(name, {
    threads: threads === 'auto' ? threads : Number(threads),
    ...(wasmPaths === undefined ? {} : { wasmPaths }),
  });
  postMessage(`backend ${backend.name} ${backend.facts.build}, threads: ${backend.threads}`);
  if (backend.facts.reason !== undefined) postMessage(backend.facts.reason);

  const data = await fashionMnistSubset();
  const scope = createScope(1);
  const backbone = backboneFactory('resnet8').build({ inputShape: [28, 28, 1], classes: 10, scope });
  const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 3 }));
  const compiled = compilePlan(network, dgl().plan(network), { scope });
  const batches = createBatches(take(data.train, 500), { batchSize: 50, shuffle: true, seed: 1 });
  const { normalization } = batches;
  const result = await train({
    compiled,
    optimizer: sgd({ learningRate: 0.1 }),
    learningRate: 0.1,
    batches,
    testBatches: createBatches(take(data.test, 200), { batchSize: 50, normalization }),
    epochs: 1,
    observers: [
      {
        observe(event) {
          if (event.type === 'step-end' && event.losses) postMessage(`${event.step} ${JSON.stringify(event.losses)}`);
        },
      },
    ],
  });
  postMessage(`accuracy ${result.testAccuracy}, peak bytes ${result.peakBytes}`);
  backend.dispose();
  postMessage('done');
}

addEventListener('message', ({ data }) => run(data).catch((error) => postMessage(`Error: ${error.message}`)));
