import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { selectBackend } from '@localgrad/backends';
import { standardCatalog } from '@localgrad/catalog';
import { type HeadFactory, independentPlan, type LocalLearningMethod } from '@localgrad/core';
import { createClassifier } from '@localgrad/nn/heads';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunConfigInput, runConfigSchema } from './config/run-config.js';
import { evaluateRun } from './evaluate-run.js';
import type { KeepOptions } from './execute-options.js';
import { executeRun } from './execute-run.js';

const configOf = (input: RunConfigInput = {}) =>
  runConfigSchema.parse({
    ...{ method: 'greedy', backbone: 'tiny', modules: 2, resize: 8, trainImages: 100, testImages: 50 },
    ...{ validation: 0.3, epochs: 3, batch: 20, backend: 'wasm', threads: 1, learningRate: 0.3, schedule: 'constant' },
    ...input,
  });

let parent: string;
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'localgrad-evaluate-run-'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

async function trained(name: string, config = configOf(), keep: KeepOptions = {}, names = {}) {
  const folder = join(parent, name);
  const result = await executeRun({ config, folder, keep, names, resume: 'auto' });
  if (result === undefined) throw new Error('no result');
  return { folder, ...result.summary };
}

const ownHead: HeadFactory = {
  name: 'own',
  build: ({ inputShape, classes }, scope) => createClassifier({ scope, inputShape, classes }),
};

/** Every file of a folder with its content. */
function contentsOf(folder: string): ReadonlyMap<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map(({ parentPath, name }) => [join(parentPath, name), readFileSync(join(parentPath, name), 'base64')]),
  );
}

describe('evaluateRun', () => {
  it('reproduces the recorded metrics of final weights and checkpoints exactly, and writes nothing', async () => {
    const { folder, epochs, testMetrics, validation } = await trained('kept', configOf(), {
      keepLast: 1,
      keepBest: true,
    });
    const before = contentsOf(folder);
    const final = await evaluateRun({ folder });
    expect(final).toMatchObject({ folder, backend: 'wasm', dataset: 'fashion-mnist-subset', samples: 50 });
    expect(final.metrics).toEqual(testMetrics);
    expect(final.recorded).toEqual(testMetrics);
    expect('checkpoint' in final).toBe(false);
    const last = await evaluateRun({ folder, checkpoint: 'last' });
    expect([last.metrics, last.checkpoint?.epochs]).toEqual([testMetrics, 3]);
    const best = await evaluateRun({ folder, checkpoint: 'best' });
    const epoch = epochs.find((one) => one.epoch === validation?.best?.epoch);
    expect(best.metrics).toEqual(epoch?.testMetrics);
    expect(best.recorded).toEqual(epoch?.testMetrics);
    expect(contentsOf(folder)).toEqual(before);
  });

  it('needs no file of initial weights', async () => {
    const first = await trained('first');
    const initialWeights = join(first.folder, 'weights.safetensors');
    const { folder, testMetrics } = await trained(
      'second',
      configOf({ initialWeights, initialPart: 'blocks', epochs: 1 }),
    );
    rmSync(initialWeights);
    expect((await evaluateRun({ folder })).metrics).toEqual(testMetrics);
  });

  it('evaluates fewer images, other batches and another backend', async () => {
    const { folder, testMetrics } = await trained('kept', configOf(), { keepLast: 1, keepBest: true });
    const few = await evaluateRun({ folder, testImages: 20 });
    expect([few.samples, few.recorded]).toEqual([20, null]);
    const other = await evaluateRun({ folder, batch: 7, backend: 'cpu' });
    expect(other).toMatchObject({ backend: 'cpu', samples: 50, recorded: testMetrics });
    expect(other.metrics.accuracy).toBeCloseTo(testMetrics?.accuracy ?? Number.NaN, 1);
    expect(other.metrics.loss).toBeCloseTo(testMetrics?.loss ?? Number.NaN, 4);
  });

  it('evaluates the newest checkpoint of an unfinished run, with the normalization of its training images', async () => {
    const folder = join(parent, 'unfinished');
    const controller = new AbortController();
    const seen: Record<string, number>[] = [];
    const observe = (event: { type: string; testMetrics?: Record<string, number> }) => {
      if (event.type !== 'epoch-end') return;
      seen.push(event.testMetrics ?? {});
      controller.abort(new Error('enough'));
    };
    const run = { config: configOf(), folder, resume: 'auto', observers: [{ observe }] } as const;
    await expect(executeRun({ ...run, signal: controller.signal })).rejects.toThrow('enough');
    await expect(evaluateRun({ folder })).rejects.toThrow(/--checkpoint last takes the newest checkpoint/);
    const { metrics, recorded, checkpoint } = await evaluateRun({ folder, checkpoint: 'last' });
    expect([metrics, recorded, checkpoint?.epochs]).toEqual([seen[0], seen[0], 1]);
    const dataset = 'fashion-mnist-subset(train: 100)';
    const other = await evaluateRun({ folder, checkpoint: 'last', dataset, testImages: 20 });
    expect([other.samples, other.recorded]).toEqual([20, null]);
  });

  it('takes the test images of another data set if they fit, and reports changed ones', async () => {
    const photos = join(parent, 'photos');
    cpSync(fileURLToPath(new URL('../../image-data/src/fixtures/folder', import.meta.url)), photos, {
      recursive: true,
    });
    const dataset = photos;
    const small = { dataset, trainImages: undefined, testImages: undefined, validation: undefined, batch: 2 };
    const { folder, testMetrics } = await trained('photos-run', configOf({ ...small, epochs: 1 }));
    expect((await evaluateRun({ folder })).metrics).toEqual(testMetrics);
    const other = await evaluateRun({ folder, dataset: `"${photos}"(holdOut: 0.5)`, batch: 1 });
    expect(other).toMatchObject({ dataset: `"${photos}"(holdOut: 0.5)`, recorded: null });
    await expect(evaluateRun({ folder, dataset: 'fashion-mnist-subset' })).rejects.toThrow(
      /has 10 classes and images of 1 channels, but the run was trained on 2 classes and images of 3 channels\.$/,
    );
    const images = [...contentsOf(photos).keys()].filter((name) => name.includes('dog'));
    for (const image of images) cpSync(join(photos, 'cat', 'photo.jpg'), image);
    const problems: string[] = [];
    await evaluateRun({ folder, onProblem: (message) => problems.push(message) });
    expect(problems).toEqual([expect.stringMatching(/are not those that the run was evaluated on/)]);
  });

  it('needs a checkpoint for the final head of a method', async () => {
    const method: LocalLearningMethod = {
      ...{ name: 'own', specVersion: 'v1', config: { method: 'own' } },
      plan: (network) => {
        const head = { key: 'own', factory: ownHead };
        const { objectives, ...plan } = independentPlan('own', network, ownHead);
        return { ...plan, objectives: objectives.map((one) => (one.role === 'final' ? { ...one, head } : one)) };
      },
    };
    const names = { catalog: standardCatalog.with({ methods: { own: () => method } }) };
    const config = configOf({ method: 'own', epochs: 1 });
    const { folder, testMetrics } = await trained('own', config, { keepLast: 1 }, names);
    expect((await evaluateRun({ folder, checkpoint: 'last' }, names)).metrics).toEqual(testMetrics);
    await expect(evaluateRun({ folder }, names)).rejects.toThrow(
      /contains the backbone alone, but the final head of the run, '.*', belongs to its method\. Only checkpoints contain it: train with --keep-last 1, and evaluate with --checkpoint last\.$/,
    );
  });

  it('leaves no tensor, and rejects wrong options and folders', async () => {
    const { folder } = await trained('kept', configOf(), { keepLast: 1, keepBest: true });
    const backend = await selectBackend('wasm', { threads: 1 });
    const { numTensors } = tf.memory();
    backend.dispose();
    await evaluateRun({ folder });
    expect(tf.memory().numTensors).toBe(numTensors);
    await expect(evaluateRun({ folder, flip: true })).rejects.toThrow(
      '--flip: tiny does not predict label maps; allowed for networks that do, such as fcn-resnet50 and deeplabv3-resnet50.',
    );
    await expect(evaluateRun({ folder, scales: [1, 0.5] })).rejects.toThrow(/^--scales: tiny does not/);
    await expect(evaluateRun({ folder, batch: 0 })).rejects.toThrow(/'batch' is 0; allowed: integers ≥ 1/);
    await expect(evaluateRun({ folder, size: 3 } as never)).rejects.toThrow(/Unknown option of evaluateRun 'size'/);
    await expect(evaluateRun({ folder: parent })).rejects.toThrow(
      `'${parent}' is not the folder of a run: it has no identity.json.`,
    );
  });
});
