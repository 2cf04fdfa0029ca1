import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { type Catalog, standardCatalog } from '@localgrad/catalog';
import { type DatasetSplits, loadDataset } from '@localgrad/data';
import { dropout, sequential } from '@localgrad/nn/blocks';
import { memory } from '@tensorflow/tfjs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildPlan } from './build-plan.js';
import { resolveConfig } from './config/resolve-config.js';
import type { RunConfigInput } from './config/run-config.js';
import { describeRun } from './describe-run.js';
import { executeRun } from './execute-run.js';
import { configIdOf, withoutDefaults } from './identity/config-identity.js';
import { loadData } from './load-data.js';
import { prepareRun } from './prepare-run.js';

/** The standard names, and `noisy`: the tiny network with dropout after its first block. */
const catalog: Catalog = standardCatalog.with({
  backbones: {
    noisy: () => {
      const tiny = standardCatalog.backbone('tiny');
      return {
        ...tiny,
        build(options) {
          const backbone = tiny.build(options);
          const blocks = backbone.blocks.map((member, index) => {
            if (index > 0) return member;
            const { name, outputShape } = member.block;
            const noise = dropout({ name: 'noise', inputShape: outputShape, rate: 0.5, scope: options.scope });
            return { ...member, block: sequential(name, [member.block, noise]) };
          });
          return { ...backbone, blocks };
        },
      };
    },
  },
});
const names = { catalog };

const configOf = (input: RunConfigInput = {}) =>
  resolveConfig({
    backbone: 'noisy',
    method: 'greedy',
    modules: 2,
    resize: 8,
    trainImages: 40,
    testImages: 20,
    batch: 10,
    epochs: 2,
    logEvery: 1,
    backend: 'wasm',
    threads: 1,
    ...input,
  });

let backend: BackendHandle;
let data: DatasetSplits;
beforeAll(async () => {
  backend = await selectBackend('wasm', { threads: 1 });
  data = await loadDataset('fashion-mnist-subset', { resize: 8, train: 40, test: 20 });
});
afterAll(() => backend.dispose());

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-spec-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bitsIn = (run: string) => readFileSync(join(run, 'weights.safetensors')).toString('base64');

/** Final weights of a straight run. */
async function straight(name: string, input: RunConfigInput): Promise<string> {
  const run = join(folder, name);
  await executeRun({ config: configOf(input), folder: run, resume: 'auto', backend, data, names });
  return bitsIn(run);
}

describe('a run with dropout', () => {
  it.each([1, 2])('resumes to the same bits with accumulate: %i', { timeout: 60_000 }, async (accumulate) => {
    const expected = await straight('straight', { accumulate });
    const run = join(folder, 'resumed');
    const common = { config: configOf({ accumulate }), folder: run, resume: 'auto', backend, data, names } as const;
    const options = { ...common, keep: { everySteps: 1 } };
    // No checkpoint of this step is saved: as after a kill, the run resumes from the one before.
    const observe = ({ type, step }: { readonly type: string; readonly step?: number }) => {
      if (type === 'step-end' && step === 4) throw new Error('killed');
    };
    await expect(executeRun({ ...options, observers: [{ observe }] })).rejects.toThrow('killed');
    const resumed = await executeRun(options);
    expect(resumed?.summary.resumptions).toBe(1);
    expect(bitsIn(run)).toBe(expected);
  });

  it('passes seed and micro-batches to the trainer', { timeout: 60_000 }, async () => {
    const first = await prepareRun(configOf({ seed: 3 }), data, names);
    expect(first.options).toMatchObject({ seed: 3, accumulate: 1 });
    first.dispose();
    const [a, b] = [await straight('a', { accumulate: 2 }), await straight('b', { accumulate: 1 })];
    expect(a).not.toBe(b);
  });
});

describe('accumulate', () => {
  it('leaves the identity of earlier runs unchanged at its default', () => {
    expect(withoutDefaults(configOf())).not.toHaveProperty('accumulate');
    expect(withoutDefaults(configOf())).not.toHaveProperty('extra');
    expect(configIdOf(configOf({ accumulate: 2 }))).not.toBe(configIdOf(configOf()));
  });

  it('cannot exceed the batch size', async () => {
    await expect(prepareRun(configOf({ accumulate: 11 }), data, names)).rejects.toThrow(
      'accumulate: 11; allowed: integers from 1 to 10, the batch size.',
    );
  });
});

describe('the predicted peak', () => {
  const peakOf = async (input: RunConfigInput) => {
    const config = configOf({ backbone: 'resnet8', batch: 40, ...input });
    const plan = await buildPlan(config, data.train, names);
    try {
      return describeRun(plan, config).totals;
    } finally {
      plan.dispose();
    }
  };

  it("contains the state of the run's own optimizer, and its micro-batches", async () => {
    const sgd = await peakOf({});
    const plain = await peakOf({ momentum: 0 });
    const adam = await peakOf({ optimizer: 'adam', learningRate: 0.01 });
    const bytes = 4 * sgd.parameters;
    expect(sgd.predictedPeakBytes - plain.predictedPeakBytes).toBe(bytes);
    // Adam also counts the steps of each weight.
    const adamBytes = adam.predictedPeakBytes - sgd.predictedPeakBytes;
    expect(adamBytes / bytes).toBeCloseTo(1, 2);
    expect(adam.reference.predictedPeakBytes - sgd.reference.predictedPeakBytes).toBe(adamBytes);
    const halves = await peakOf({ accumulate: 2 });
    expect(halves.predictedPeakBytes).toBeLessThan(sgd.predictedPeakBytes);
    expect(halves.reference.predictedPeakBytes).toBeLessThan(sgd.reference.predictedPeakBytes);
  });
});

describe('pipeline', () => {
  it('sets augmentation and normalization as published', async () => {
    const config = configOf({ pipeline: 'predsim-fashion-mnist' });
    const run = await prepareRun(config, data, names);
    expect(run.extra.normalization).toEqual({ mean: [0.286], deviation: [0.353] });
    run.dispose();
  });

  it('rejects another augmentation beside it, and images of other channels', async () => {
    const prepared = (input: RunConfigInput) => prepareRun(configOf(input), data, names);
    await expect(prepared({ pipeline: 'predsim-fashion-mnist', augment: 'svhn' })).rejects.toThrow(
      "augment: has no effect with pipeline 'predsim-fashion-mnist', which augments images itself; omit it.",
    );
    await expect(prepared({ pipeline: 'cifar10' })).rejects.toThrow(
      /pipeline: 'cifar10' normalizes images of 3 channels; those of '.*' have 1\./,
    );
    expect(() => configOf({ pipeline: 'none' })).toThrow(/pipeline/);
  });
});

describe('prepareRun', () => {
  it('frees everything that it created if it fails', async () => {
    const before = memory().numTensors;
    // Data that fails where batches are created, after the plan was built.
    const broken = { ...data, test: { ...data.test, size: 7 } };
    await expect(prepareRun(configOf(), broken, names)).rejects.toThrow(/expected 7 images/);
    await expect(prepareRun(configOf({ schedule: 'constant', warmup: 0.1 }), data, names)).rejects.toThrow('warmup');
    expect(memory().numTensors).toBe(before);
  });
});

describe('extra and fold', () => {
  it('are passed to the data set', async () => {
    const asked: object[] = [];
    const dataset = (options: object) => {
      asked.push(options);
      return data;
    };
    const own = { catalog: standardCatalog.with({ datasets: { svhn: dataset, stl10: dataset } }) };
    const load = (input: RunConfigInput) => loadData(resolveConfig({ dataFolder: folder, ...input }), own);
    await load({ dataset: 'svhn' });
    await load({ dataset: 'svhn', extra: true });
    await load({ dataset: 'stl10', fold: 3 });
    expect(asked).toEqual([{ folder }, { folder, extra: true }, { folder, fold: 3 }]);
  });

  it('belong to one data set each', async () => {
    await expect(loadData(configOf({ extra: true }))).rejects.toThrow(
      "extra: Data set 'fashion-mnist-subset' has no option 'extra'; data set 'svhn' has.",
    );
    await expect(loadData(configOf({ dataset: 'svhn', dataFolder: folder, fold: 2 }))).rejects.toThrow(
      "fold: Data set 'svhn' has no option 'fold'; data set 'stl10' has.",
    );
    await expect(loadData(configOf({ dataset: folder, fold: 2 }))).rejects.toThrow(/fold: has no effect on/);
  });
});
