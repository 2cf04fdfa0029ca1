import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createScope } from '@localgrad/nn/random';
import { saveLayersModel } from '@localgrad/nn/serialization';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { trainedLayersModel } from '../index.js';
import { batchFor, difference, mobileNet, sequentialCnn } from '../models.fixture.js';
import { readLayersModel } from './index.js';

let folder: string;
beforeAll(async () => {
  await tf.setBackend('cpu');
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-layers-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a model. @returns path and content of the `model.json` */
async function save(
  model: tf.LayersModel,
  shards = 1,
): Promise<{ file: string; json: Record<string, unknown>; weights: Uint8Array }> {
  const { model: text, weights } = await saveLayersModel(model);
  const json: Record<string, unknown> = JSON.parse(text);
  const paths = Array.from({ length: shards }, (_, index) => `shard${index + 1}.bin`);
  const size = Math.ceil(weights.length / shards);
  for (const [index, path] of paths.entries()) {
    writeFileSync(join(folder, path), weights.subarray(index * size, (index + 1) * size));
  }
  const [group = {}] = Array.isArray(json.weightsManifest) ? json.weightsManifest : [];
  json.weightsManifest = [{ ...group, paths }];
  return { file: write(json), json, weights };
}

function write(json: unknown, name = 'model.json'): string {
  const file = join(folder, name);
  writeFileSync(file, typeof json === 'string' ? json : JSON.stringify(json));
  return file;
}

describe('readLayersModel', () => {
  it.each([
    ['sequential', sequentialCnn, 1],
    ['functional', mobileNet, 3],
  ] as const)('reads a %s model, whose backbone has its weights and no other tensors', async (_, create, shards) => {
    const model = create();
    const { file } = await save(model, shards);
    const before = tf.memory().numTensors;
    const read = await readLayersModel(file);
    const factory = read.backbone();
    expect(tf.memory().numTensors).toBe(before);
    const scope = createScope(1);
    const backbone = factory.build({ ...factory.images, scope });
    expect(tf.memory().numTensors).toBe(before + scope.all().size);
    for (const parameter of scope.all().values()) parameter.assign(tf.mul(parameter.value, 0.5));
    const trained = await trainedLayersModel(backbone);
    const { images } = batchFor(model, 2);
    model.setWeights(model.getWeights().map((weight) => weight.mul(0.5)));
    const [expected, found] = [model.predict(images), trained?.predict(images)];
    if (!(expected instanceof tf.Tensor && found instanceof tf.Tensor)) throw new Error('Expected one output each.');
    expect(difference(expected, found)).toBeLessThan(1e-6);
  });

  it('has a hash of model and weights', async () => {
    const { file, weights } = await save(sequentialCnn());
    const { sha256 } = await readLayersModel(file);
    expect((await readLayersModel(file)).sha256).toBe(sha256);
    writeFileSync(
      join(folder, 'shard1.bin'),
      weights.map((byte, index) => (index === 0 ? byte ^ 1 : byte)),
    );
    expect((await readLayersModel(file)).sha256).not.toBe(sha256);
  });

  it('reads quantized weights', async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.dense({ name: 'a', inputShape: [2], units: 2, useBias: false }),
        tf.layers.dense({ name: 'b', units: 2, useBias: false }),
      ],
    });
    const { json } = await save(model);
    const quantization = { dtype: 'uint8', min: -1, scale: 0.5 };
    const weights = ['a', 'b'].map((name) => ({
      name: `${name}/kernel`,
      shape: [2, 2],
      dtype: 'float32',
      quantization,
    }));
    writeFileSync(join(folder, 'q.bin'), Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7]));
    const file = write({ ...json, weightsManifest: [{ paths: ['q.bin'], weights }] });
    const scope = createScope(1);
    (await readLayersModel(file)).backbone().build({ inputShape: [1, 1, 2], classes: 2, scope });
    expect(Array.from(scope.all().get('a.weight')?.value.dataSync() ?? [])).toEqual([-1, -0.5, 0, 0.5]);
  });
});

describe('unusable files', () => {
  const cases: readonly (readonly [string, (json: Record<string, unknown>) => unknown, RegExp])[] = [
    ['a missing file', () => undefined, /^Cannot read '.*model\.json': it does not exist\.$/],
    ['text', () => 'hello', /it is not JSON/],
    ['HDF5', () => '\u0089HDF\r\n', /HDF5 file of Keras\. Convert it: tensorflowjs_converter/],
    ['a .keras file', () => 'PK\u0003\u0004', /\.keras file of Keras/],
    ['another object', () => ({ name: 'x' }), /no 'modelTopology'; its keys: name/],
    ['a list', () => [1], /not an object/],
    [
      'a graph model',
      (json) => ({ ...json, format: 'graph-model' }),
      /graph model.*cannot be trained.*input_format keras/,
    ],
    ['a graph model without format', () => ({ modelTopology: { node: [] } }), /graph model/],
    ['a model without weights', ({ modelTopology }) => ({ modelTopology }), /has no weights/],
    ['a bad manifest', (json) => ({ ...json, weightsManifest: [{ paths: 'x' }] }), /'weightsManifest' is invalid/],
    [
      'a path outside',
      (json) => ({ ...json, weightsManifest: [{ paths: ['../x.bin'], weights: [] }] }),
      /'\.\.\/x\.bin' lies outside/,
    ],
    [
      'a missing shard',
      (json) => ({ ...json, weightsManifest: [{ paths: ['gone.bin'], weights: [] }] }),
      /Cannot read 'gone\.bin', which '.*model\.json' names: it does not exist/,
    ],
    [
      'missing weights',
      (json) => ({ ...json, weightsManifest: [{ paths: [], weights: [] }] }),
      /not a usable model.*not set/,
    ],
    [
      'an unknown layer',
      (json) => JSON.parse(JSON.stringify(json).replace('"SeparableConv2D"', '"Lambda"')),
      /layer class 'Lambda' is not one of TensorFlow\.js/,
    ],
    ['other shapes', (json) => JSON.parse(JSON.stringify(json).replace('"units":7', '"units":6')), /Shape mismatch/i],
  ];

  it.each(cases)('%s', async (_, change, message) => {
    const { json, file } = await save(sequentialCnn());
    const changed = change(json);
    if (changed === undefined) rmSync(file);
    else write(changed);
    await expect(readLayersModel(file)).rejects.toMatchObject({
      code: 'invalid-data',
      message: expect.stringMatching(message),
    });
  });

  it('truncated shards', async () => {
    const { file, weights } = await save(sequentialCnn());
    writeFileSync(join(folder, 'shard1.bin'), weights.subarray(0, 100));
    await expect(readLayersModel(file)).rejects.toThrow(
      `its weights 'shard1.bin' are truncated: 100 bytes instead of ${weights.length}.`,
    );
    writeFileSync(join(folder, 'shard1.bin'), Buffer.concat([weights, weights]));
    await expect(readLayersModel(file)).rejects.toThrow('are too long');
  });
});
