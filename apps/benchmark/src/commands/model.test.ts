import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBatches } from '@localgrad/data';
import { saveLayersModel } from '@localgrad/nn/serialization';
import { areStreamed, executeRun, loadData, resolveConfig } from '@localgrad/runs';
import type { TrainingEvent } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCaptured } from '../command-line.fixture.js';

const timeout = 120_000;
const folder = mkdtempSync(join(tmpdir(), 'localgrad model-'));
const project = process.cwd();
beforeAll(async () => {
  process.chdir(folder);
  await tf.setBackend('cpu');
  await write('model', ownModel());
});
afterAll(() => {
  process.chdir(project);
  rmSync(folder, { recursive: true, force: true });
});

/** A small network of depthwise and other convolutions on 8×8 gray images. */
function ownModel(): tf.LayersModel {
  const { layers } = tf;
  return tf.sequential({
    name: 'own',
    layers: [
      layers.conv2d({ name: 'stem', inputShape: [8, 8, 1], filters: 4, kernelSize: 3, strides: 2, padding: 'same' }),
      layers.batchNormalization({ name: 'stem_bn', momentum: 0.5 }),
      layers.reLU({ name: 'stem_relu', maxValue: 6 }),
      layers.depthwiseConv2d({ name: 'dw', kernelSize: 3, padding: 'same', useBias: false }),
      layers.conv2d({ name: 'pw', filters: 8, kernelSize: 1, activation: 'relu' }),
      layers.globalAveragePooling2d({ name: 'pool' }),
      layers.dropout({ name: 'dropout', rate: 0.1 }),
      layers.dense({ name: 'scores', units: 10, activation: 'softmax' }),
    ],
  });
}

async function write(name: string, model: tf.LayersModel): Promise<void> {
  const { model: json, weights } = await saveLayersModel(model);
  await mkdir(name, { recursive: true });
  await writeFile(join(name, 'model.json'), json);
  await writeFile(join(name, 'weights.bin'), weights);
}

const images = { resize: 8, trainImages: 60, testImages: 40 };
const flags = [
  '--resize',
  '8',
  '--train-images',
  '60',
  '--test-images',
  '40',
  '--batch',
  '20',
  '--epochs',
  '2',
  '--backend',
  'cpu',
];

async function json(...args: string[]) {
  const { exitCode, stdout, stderr } = await runCaptured(...args, '--json');
  if (exitCode !== 0) throw new Error(stderr || stdout);
  return JSON.parse(stdout);
}

describe('localgrad train --model', () => {
  it('trains the model, and exports it with the accuracy of model.evaluate', { timeout }, async () => {
    const method = ['--method', 'mlaan(dgl(head: 0c1f))', '--modules', '2'];
    const run = await json('train', '--model', 'model/model.json', ...method, ...flags, '--output', 'run');
    expect(run.config.backbone).toBe('./model/model.json');
    await json('weights', 'export', 'run', '--format', 'tfjs-layers', '--output', 'trained');
    const text = JSON.parse(await readFile('trained/model.json', 'utf8'));
    const { normalization } = text.userDefinedMetadata.localgrad;
    await tf.setBackend('cpu');
    const { modelTopology, weightsManifest } = text;
    const weightData = Uint8Array.from(await readFile('trained/weights.bin')).buffer;
    const artifacts = { modelTopology, weightSpecs: weightsManifest[0].weights, weightData };
    const model = await tf.loadLayersModel(tf.io.fromMemory(artifacts));
    const data = await loadData(resolveConfig(images));
    if (areStreamed(data)) throw new Error('The images are not in memory.');
    const { test } = data;
    const [batch] = createBatches(test, { batchSize: test.size, normalization }).epoch(0);
    if (batch?.targets.labels === undefined) throw new Error('There are no labels.');
    model.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
    const [, accuracy] = [model.evaluate(batch.images, batch.targets.labels.cast('float32'))].flat();
    expect(accuracy?.dataSync()[0]).toBeCloseTo(run.testAccuracy, 6);
    const before = ownModel().layers[1]?.getWeights()[2]?.dataSync();
    expect(model.getLayer('stem_bn').getWeights()[2]?.dataSync()).not.toEqual(before);
  });

  it('recognizes the run by the content of model and weights', { timeout }, async () => {
    const args = [
      '--model',
      'model/model.json',
      '--modules',
      '1',
      '--method',
      'backprop',
      ...flags,
      '--output',
      'again',
    ];
    expect((await json('train', ...args)).wasFinished).toBe(false);
    expect((await json('train', ...args)).wasFinished).toBe(true);
    const weights = await readFile('model/weights.bin');
    await writeFile(
      'model/weights.bin',
      weights.map((byte, index) => (index === 3 ? byte ^ 128 : byte)),
    );
    const { exitCode, stderr } = await runCaptured('train', ...args);
    await writeFile('model/weights.bin', weights);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain("Folder 'again' contains a different run: file './model/model.json' has changed.");
  });

  it('resumes an interrupted run bit for bit', { timeout }, async () => {
    const config = resolveConfig({
      ...images,
      backbone: './model/model.json',
      method: 'mlaan(dgl(head: 0c1f))',
      modules: 2,
      batch: 20,
      epochs: 2,
      backend: 'cpu',
    });
    await executeRun({ config, folder: 'straight', resume: 'auto' });
    const stop = new AbortController();
    const observe = (event: TrainingEvent) => {
      if (event.type === 'epoch-end' && event.epoch === 1) stop.abort(new Error('stopped'));
    };
    const interrupted = { config, folder: 'resumed', resume: 'auto', observers: [{ observe }] } as const;
    await expect(executeRun({ ...interrupted, signal: stop.signal })).rejects.toThrow('stopped');
    const result = await executeRun({ config, folder: 'resumed', resume: 'auto' });
    expect(result?.summary.resumptions).toBe(1);
    const [straight, resumed] = await Promise.all(
      ['straight', 'resumed'].map((run) => readFile(join(run, 'weights.safetensors'))),
    );
    expect(resumed).toEqual(straight);
  });

  it('explains the model with its own images and classes', { timeout }, async () => {
    const explanation = await json('explain', '--model', 'model/model.json', '--modules', '2', '--method', 'lam(dgl)');
    expect(explanation).toMatchObject({ image: [8, 8, 1], classes: 10 });
    expect(explanation.modules).toHaveLength(2);
  });

  it.each<[string[], string]>([
    [['--model', 'model/model.json', '--backbone', 'tiny'], '--model: is a backbone itself; remove --backbone.'],
    [['--model', 'model.h5'], "--model: 'model.h5'; allowed: a model.json of TensorFlow.js layers."],
    [['--model', 'gone.json'], "Cannot read './gone.json': it does not exist."],
    [['--model', 'model/model.json', '--width', '8'], "Model './model/model.json' has fixed widths"],
    [
      ['--model', 'model/model.json', ...flags, '--resize', '10'],
      "Model 'own' reads images of 8×8×1, but those of the data set are 10×10×1; resize or pad them.",
    ],
    [
      ['--model', 'model/model.json', ...flags, '--modules', '5'],
      '--modules: 5; allowed: 1, or 2 with the stem as a module of its own.',
    ],
  ])('rejects %j', { timeout }, async (args, message) => {
    const { exitCode, stderr } = await runCaptured('train', ...args, '--output', 'rejected');
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain(message);
  });

  it('reads names of layers in the expression of the backbone', { timeout }, async () => {
    const backbone = '"./model/model.json"(cuts: [stem, dw])';
    const { modules } = await json('explain', '--backbone', backbone, '--modules', '3');
    expect(modules).toHaveLength(3);
    const { stderr } = await runCaptured('explain', '--backbone', '"./model/model.json"(cuts: [stam])');
    expect(stderr).toContain("Unknown layer 'stam'. Did you mean 'stem'?");
  });
});
