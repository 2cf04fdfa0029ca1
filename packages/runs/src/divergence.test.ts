import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { Parameter, type ParameterKind } from '@localgrad/core';
import { readSafetensors, writeSafetensors } from '@localgrad/nn/serialization';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunConfigInput, runConfigSchema } from './config/run-config.js';
import { divergenceOf, nonFiniteParameter } from './divergence.js';
import { executeRun } from './execute-run.js';
import { parseState } from './folder/state-file.js';
import { summaryFormat } from './run-summary.js';

let backend: BackendHandle;
let folder: string;
beforeAll(async () => {
  backend = await selectBackend('wasm', { threads: 1 });
  folder = mkdtempSync(join(tmpdir(), 'localgrad-diverged-'));
});
afterAll(() => {
  backend.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const base: RunConfigInput = {
  backbone: 'resnet8',
  width: 2,
  modules: 2,
  resize: 8,
  trainImages: 40,
  testImages: 20,
  batch: 20,
  epochs: 1,
  backend: 'wasm',
  threads: 1,
};

function execute(name: string, more: RunConfigInput = {}) {
  const config = runConfigSchema.parse({ ...base, ...more });
  return executeRun({ config, folder: join(folder, name), resume: 'auto', backend });
}

async function withParameter<Result>(
  values: readonly number[],
  kind: ParameterKind,
  use: (parameter: Parameter) => Promise<Result>,
): Promise<Result> {
  const parameter = new Parameter('net.w', tf.tensor1d([...values]), kind);
  try {
    return await use(parameter);
  } finally {
    parameter.dispose();
  }
}

describe('divergenceOf', () => {
  it.each<[string, Parameters<typeof divergenceOf>[0], string | null]>([
    ['finite', [{ testLoss: 2, testAccuracy: 0.1 }], null],
    ['not evaluated', [{}], null],
    ['NaN at last', [{ testLoss: 2 }, { testLoss: Number.NaN, testAccuracy: 0.1 }], 'the test loss is NaN'],
    ['NaN before', [{ testLoss: Number.NaN }, { testLoss: 2 }], null],
    ['infinite', [{ testLoss: Number.POSITIVE_INFINITY }], 'the test loss is Infinity'],
    ['read from JSON', [{ testLoss: null as unknown as number }], 'the test loss is NaN'],
    ['a wrong accuracy', [{ testLoss: 2, testAccuracy: Number.NaN }], 'the test accuracy is NaN'],
  ])('judges evaluations: %s', async (_, epochs, expected) => {
    expect(await divergenceOf(epochs, [])).toBe(expected);
  });

  it.each<[readonly number[], ParameterKind, string | null]>([
    [[1, -2], 'weight', null],
    [[1, Number.NaN], 'weight', "weight 'net.w' contains NaN"],
    [[Number.NEGATIVE_INFINITY], 'statistic', "running statistic 'net.w' contains -Infinity"],
    [[Number.POSITIVE_INFINITY], 'frozen', "averaged weight 'net.w' contains Infinity"],
  ])('judges tensors: %j, %s', async (values, kind, expected) => {
    expect(await withParameter(values, kind, (parameter) => nonFiniteParameter([parameter]))).toBe(expected);
  });
});

describe('a run that diverges in the last step', () => {
  it('finishes with status diverged and the reason', async () => {
    const result = await execute('late', { learningRate: 1e6 });
    expect(result?.summary).toMatchObject({
      status: 'diverged',
      divergence: expect.stringMatching(/^the test loss is|contains/),
    });
    const written = JSON.parse(readFileSync(join(folder, 'late/summary.json'), 'utf8'));
    expect(written).toMatchObject({ status: 'diverged', divergence: result?.summary.divergence });
    expect((await execute('late', { learningRate: 1e6 }))?.wasFinished).toBe(true);
  });
});

it('marks a healthy run as finished', async () => {
  const summary = (await execute('healthy'))?.summary;
  expect(summary).toMatchObject({ status: 'finished', divergence: null });
  // Summaries of earlier versions have no status; JSON turned the loss of a diverged run into null.
  const { status: _, divergence: __, ...earlier } = JSON.parse(JSON.stringify(summary));
  const statusOf = (value: object) =>
    parseState(Buffer.from(JSON.stringify(value)), 'summary.json', summaryFormat).status;
  expect(statusOf(earlier)).toBe('finished');
  expect(statusOf({ ...earlier, epochs: [{ ...earlier.epochs[0], testLoss: null }] })).toBe('diverged');
});

describe('non-finite initial weights', () => {
  it.each([
    ['conv1.weight', Number.NaN, "weight 'conv1.weight' contains NaN"],
    ['bn1.running_var', Number.POSITIVE_INFINITY, "running statistic 'bn1.running_var' contains Infinity"],
  ])('are rejected before training: %s', async (name, value, message) => {
    await execute('source');
    const file = join(folder, `${name}.safetensors`);
    const { tensors, metadata } = readSafetensors(readFileSync(join(folder, 'source/weights.safetensors')), 'source');
    const changed = new Map([...tensors].map(([key, tensor]) => [key, { ...tensor, data: tensor.data.slice() }]));
    const target = changed.get(name)?.data;
    if (!(target instanceof Float32Array)) throw new Error(`No tensor ${name} in ${[...tensors.keys()]}`);
    target[1] = value;
    writeFileSync(file, writeSafetensors({ tensors: changed, metadata }));
    await expect(execute(name, { initialWeights: file })).rejects.toThrow(
      new RegExp(`^initialWeights: '.*' cannot be trained: ${message}`),
    );
  });
});
