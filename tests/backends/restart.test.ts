import { cifarResNet } from '@localgrad/backbones';
import { type BackendHandle, type BackendOptions, selectBackend } from '@localgrad/backends';
import { createNetwork, resolvePartition, startOfTraining } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan, createTrainStep } from '@localgrad/engine';
import { describeKernels } from '@localgrad/kernels';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, it } from 'vitest';

const handles: BackendHandle[] = [];
async function select(name: string, options: BackendOptions = {}): Promise<BackendHandle> {
  const handle = await selectBackend(name, options);
  handles.push(handle);
  return handle;
}
afterEach(() => {
  for (const handle of handles.splice(0)) handle.dispose();
});

/** Creates a small network with its optimizer; each call trains one step and returns the losses. */
function createTraining(): () => number[] {
  const scope = createScope(1);
  const built = cifarResNet({ depth: 8, widths: [4, 4, 8, 8] }).build({ inputShape: [8, 8, 3], classes: 4, scope });
  const network = createNetwork(built, resolvePartition(built.blocks, { modules: 2 }));
  const compiled = compilePlan(network, dgl().plan(network), { scope });
  const step = createTrainStep({ compiled, optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }) });
  const images = tf.randomNormal<tf.Rank.R4>([4, 8, 8, 3], 0, 1, 'float32', 1);
  const labels = tf.tensor1d([0, 1, 2, 3], 'int32');
  return () => {
    const { losses } = step.run({ images, targets: { labels } }, startOfTraining);
    return [...losses.values()].flatMap((loss) => [...loss.dataSync()]);
  };
}

async function straightRun(): Promise<number[][]> {
  await select('wasm', { threads: 2 });
  const step = createTraining();
  return [step(), step(), step()];
}

describe('training continues bit-identically', () => {
  it.each([
    ['the same number of threads', { threads: 2 }],
    ['one thread', { threads: 1 }],
    ['three threads', { threads: 3 }],
    ['the default options', {}],
  ] as const)('after wasm is selected again with %s', async (_, options) => {
    const expected = await straightRun();
    await select('wasm', { threads: 2 });
    const step = createTraining();
    const losses = [step()];
    const again = await select('wasm', options);
    losses.push(step());
    // The first handle does not stop the backend of the second.
    for (const handle of handles.splice(0, handles.length - 1)) handle.dispose();
    losses.push(step());
    expect(losses).toEqual(expected);
    expect(describeKernels().name).toBe('wasm-simd');
    expect(again.name).toBe('wasm');
  });

  it('after its backend is disposed and selected again', async () => {
    const expected = await straightRun();
    const first = await select('wasm', { threads: 2 });
    const step = createTraining();
    const losses = [step()];
    for (const handle of [...handles, first]) handle.dispose();
    expect(tf.getBackend()).toBe('cpu');
    await select('wasm', { threads: 2 });
    losses.push(step(), step());
    expect(losses).toEqual(expected);
  });
});
