import { selectBackend } from '@localgrad/backends';
import { type Shape3, startOfTraining } from '@localgrad/core';
import { type CompiledPlan, createTrainStep, trainedUpTo } from '@localgrad/engine';
import { MemoryMeter } from '@localgrad/kernels';
import { sgd } from '@localgrad/nn/optimizers';
import { buildPlan, runConfigSchema } from '@localgrad/runs';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let backend: Awaited<ReturnType<typeof selectBackend>>;
beforeAll(async () => {
  backend = await selectBackend('wasm', { threads: 1 });
}, 60_000);
afterAll(() => backend.dispose());

const imageShape: Shape3 = [16, 16, 3];
const classes = 10;

interface Case {
  readonly backbone: string;
  readonly method: string;
  readonly memory?: 'residuals' | 'recompute';
  readonly batch?: number;
  readonly modules?: number;
  readonly accumulate?: number;
}

/** Predicted and counted peak of each phase, in the order in which they run. */
async function peaksOf({ accumulate = 1, batch = 4, ...input }: Case) {
  const config = runConfigSchema.parse({ memory: 'residuals', accumulate, batch, seed: 1, ...input });
  const { compiled, dispose } = await buildPlan(config, { imageShape, classes });
  const optimizer = sgd({ learningRate: 0.01 });
  const images = tf.randomNormal<tf.Rank.R4>([batch, ...imageShape], 0, 1, 'float32', 1);
  const targets = { labels: tf.zeros<tf.Rank.R1>([batch], 'int32'), ...imagesFor(compiled, images) };
  const peaks = compiled.phases.map((phase) => {
    const trainStep = createTrainStep({ compiled: { ...compiled, phaseAt: () => phase }, optimizer, accumulate });
    const step = () => {
      const { losses, terms } = trainStep.run({ images, targets }, startOfTraining);
      tf.dispose([...losses.values(), ...terms.values()]);
    };
    // Creates the state of the optimizer, and the buffers of averages.
    step();
    const resting = bytesOfAll([
      ...[...compiled.parameters.values()].map(({ value }) => value),
      ...optimizer.state().values(),
      images,
      ...Object.values(targets),
    ]);
    const meter = new MemoryMeter({ countsOlder: true });
    step();
    meter.detach();
    trainStep.dispose();
    const predicted = compiled.predict(batch, { optimizer, accumulate, phase }).peakBytes;
    return { phase: phase.name, predicted, counted: resting + meter.peakBytes };
  });
  const largest = compiled.predict(batch, { optimizer, accumulate }).peakBytes;
  const states = compiled.phases.map((phase) => trainedUpTo(compiled, phase)?.size);
  optimizer.dispose();
  tf.dispose([images, ...Object.values(targets)]);
  dispose();
  return { peaks, largest, states };
}

function imagesFor({ reads }: CompiledPlan, images: tf.Tensor4D): Record<string, tf.Tensor> {
  return reads.includes('images') ? { images: tf.sigmoid(images) } : {};
}

function bytesOfAll(tensors: readonly tf.Tensor[]): number {
  return tensors.reduce((sum, { size }) => sum + 4 * size, 0);
}

const network = 'resnet8(width: 4)';
const transformer = 'vit(width: 8, heads: 2, depth: 3, patch: 4)';

describe('the predicted peak of a step', () => {
  it.each<Case>([
    { backbone: network, method: 'backprop' },
    { backbone: network, method: 'backprop', memory: 'recompute', batch: 32 },
    { backbone: network, method: 'greedy' },
    { backbone: network, method: 'dgl', batch: 32 },
    { backbone: network, method: 'dgl', accumulate: 2 },
    { backbone: network, method: 'infopro' },
    { backbone: network, method: 'hpff' },
    { backbone: network, method: 'pff(greedy)' },
    { backbone: network, method: 'predsim', batch: 32 },
    { backbone: network, method: 'mono-forward' },
    { backbone: network, method: 'dni' },
    { backbone: network, method: 'auglocal', memory: 'recompute' },
    { backbone: network, method: 'man(dgl)' },
    { backbone: network, method: 'lam(dgl)' },
    // Heads whose cotangents are divided among objectives, and cotangents that modules pass on and keep.
    { backbone: network, method: 'mlaan(greedy)' },
    { backbone: network, method: 'mlaan(dgl)', memory: 'recompute', batch: 32 },
    { backbone: network, method: 'lean-mlaan(greedy)' },
    { backbone: 'tiny', method: 'mlm(dgl)', batch: 32 },
    { backbone: 'tiny', method: 'deep-supervision(greedy, after: 1)' },
    { backbone: 'tiny', method: 'mono-forward' },
    { backbone: 'cnn(width: 4)', method: 'mlm(greedy)' },
    { backbone: 'mlp(width: 16)', method: 'mlaan(greedy)' },
    { backbone: transformer, method: 'backprop' },
    { backbone: transformer, method: 'mlm(dgl)', batch: 32 },
    { backbone: transformer, method: 'lam(greedy)', memory: 'recompute' },
  ])('is the counted one, to the byte: $method on $backbone', async (config) => {
    const { peaks } = await peaksOf(config);
    for (const { predicted, counted } of peaks) expect(predicted).toBe(counted);
  });

  it('counts optimizer state of the weights that have been trained up to a phase, where phases are in order', async () => {
    const { peaks, largest, states } = await peaksOf({ backbone: network, method: 'sequential(mlm(dgl))' });
    expect(peaks).toHaveLength(4);
    for (const { phase, predicted, counted } of peaks) expect([phase, predicted]).toEqual([phase, counted]);
    expect(largest).toBe(Math.max(...peaks.map(({ counted }) => counted)));
    expect(states).toEqual([...states].sort((a = 0, b = 0) => a - b));
  });
});
