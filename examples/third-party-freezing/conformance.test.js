import { cifarResNet } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import { clockAt, createNetwork } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan, createTrainStep } from '@localgrad/engine';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import { describeDecorator } from '@localgrad/testing';
import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import freezing, { decorator } from './index.js';

await selectBackend('wasm');

describeDecorator('freezing', () => freezing({ every: 2 }), {
  replaces: { phases: 'The phases are those of the decorator; hosts with phases are rejected.' },
});

it('freezes module after module: weights, statistics and optimizer state stay, and less memory is needed', {
  timeout: 60_000,
}, async () => {
  const scope = createScope(1);
  const backbone = cifarResNet({ depth: 8, width: 4 }).build({ inputShape: [8, 8, 3], classes: 3, scope });
  const network = createNetwork(backbone, [2, 1, 1]);
  const method = freezing()(dgl({ head: '0c1f' }));
  const compiled = compilePlan(network, method.plan(network), { scope });
  const optimizer = sgd({ learningRate: 0.05 });
  const step = createTrainStep({ compiled, optimizer });
  const batch = {
    images: tf.randomNormal([6, 8, 8, 3], 0, 1, 'float32', 1),
    targets: { labels: tf.tensor1d([0, 1, 2, 0, 1, 2], 'int32') },
  };
  const run = (index) => {
    const { losses, terms, phase } = step.run(batch, clockAt(index, 3, 2));
    const ids = [...losses.keys()];
    tf.dispose([...losses.values(), ...terms.values()]);
    return { phase, ids };
  };
  const owned = (module) =>
    network.modules[module].blocks.flatMap(({ parameters, statistics }) => [...parameters, ...statistics]);
  const read = async (module) => {
    const states = [...optimizer.state()].filter(([key]) => owned(module).some(({ name }) => key.endsWith(`/${name}`)));
    return Promise.all([
      ...owned(module).map(({ value }) => value.data()),
      ...states.map(([, tensor]) => tensor.data()),
    ]);
  };
  expect([run(0).phase, run(1).phase]).toEqual(['0 frozen', '0 frozen']);
  const [first, second] = [await read(0), await read(1)];
  expect([run(2), run(3)].map(({ phase }) => phase)).toEqual(['1 frozen', '1 frozen']);
  expect(await read(0)).toEqual(first);
  expect(await read(1)).not.toEqual(second);
  const frozen = await read(1);
  const { phase, ids } = run(4);
  expect([phase, ids]).toEqual(['2 frozen', ['final']]);
  expect(await read(1)).toEqual(frozen);
  expect(compiled.state.values()).toEqual({ frozen: 2 });
  const bytes = compiled.phases.map((one) => compiled.predict(32, { phase: one }).stepBytes);
  expect(bytes[2]).toBeLessThan(bytes[0]);
});

it('is a decorator by the name of the package', () => {
  const method = dgl({ head: '0c1f' });
  expect(decorator(method, { every: 3 }).config).toEqual(freezing({ every: 3 })(method).config);
});
