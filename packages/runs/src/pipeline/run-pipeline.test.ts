import { standardCatalog } from '@localgrad/catalog';
import { sgd } from '@localgrad/nn/optimizers';
import { formatPlacement } from '@localgrad/pipeline';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { buildPlan } from '../build-plan.js';
import { optimizerOf } from '../config/optimization.js';
import { resolveConfig } from '../config/resolve-config.js';
import type { RunConfigInput } from '../config/run-config.js';
import { explain } from '../explain.js';
import { configIdOf } from '../identity/config-identity.js';
import { explainPipeline } from './explain-pipeline.js';
import { withoutValues } from './part-config.js';
import { onMachines } from './run-machines.js';
import { checkWorkerBackend, mainThreadsOf, runAsynchronousPipeline, runPipeline } from './run-pipeline.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
  // Nothing has been measured.
  vi.stubEnv('LOCALGRAD_CACHE', '/missing');
});
afterAll(() => vi.unstubAllEnvs());

const images = { imageShape: [8, 8, 1], classes: 3 } as const;
const base: RunConfigInput = { backbone: 'tiny', modules: 4, method: 'dgl' };

const noBatch = () => Promise.reject(new Error('nothing has to be measured'));

async function pipelineOf(input: RunConfigInput, names = {}) {
  const config = resolveConfig({ ...base, ...input });
  const plan = await buildPlan(config, images);
  try {
    return await runPipeline(config, { compiled: plan.compiled, optimizer: {}, images, names, withBatch: noBatch });
  } finally {
    plan.dispose();
  }
}

describe('runPipeline', () => {
  it('divides the modules of a run by number of workers or by placement', async () => {
    expect(await pipelineOf({})).toBeUndefined();
    const placed = async (input: RunConfigInput) =>
      formatPlacement((await pipelineOf(input))?.pipeline.placement ?? []);
    expect(await placed({ workers: 4 })).toBe('0 1 2 3');
    expect(await placed({ placement: '0-2@a 3@b' })).toBe('0-2@a 3@b');
  });

  it.each<[RunConfigInput, string, RegExp]>([
    [{ workers: 5 }, 'workers', /^5; allowed: 1 to 4, because 'dgl' can be divided into modules 0, 1, 2, 3 only/],
    [{ placement: '0-1 3' }, 'placement', /^'0-1 3': module 2 is in no group/],
    [
      { placement: '0-1 2-3', method: 'lam(dgl, emaTime: beforeStep, emaTrainable: true)' },
      'placement',
      /^'0-1 2-3': head 'module\d\.leap' .* its average is trained/,
    ],
    [{ placement: '0-1 2-3', workers: 2 }, 'workers', /placement '0-1 2-3' already assigns the modules/],
    [{ workers: 2, asynchronous: 'order: random' }, 'asynchronous', /order 'random' is simulated in one process/],
  ])('rejects %j by its key', async (input, key, problem) => {
    await expect(pipelineOf(input)).rejects.toThrow(
      expect.objectContaining({
        code: 'invalid-option',
        details: expect.objectContaining({ key, problem: expect.stringMatching(problem) }),
      }),
    );
  });

  it.each<[RunConfigInput, string]>([
    [{ workers: 4 }, 'workers'],
    // Two groups of four modules would be timed.
    [{ workers: 2 }, 'workers'],
    [{ placement: '0 1-3' }, 'placement'],
  ])('rejects hooks by the key that divides the modules: %j', async (input, key) => {
    const config = resolveConfig({ ...base, ...input });
    const { compiled, dispose } = await buildPlan(config, images);
    const hooked = { ...compiled, plan: { ...compiled.plan, hooks: [{ name: 'clip', afterStep: () => {} }] } };
    const started = runPipeline(config, { compiled: hooked, optimizer: {}, images, names: {}, withBatch: noBatch });
    await expect(started).rejects.toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/: hook 'clip' of 'dgl'/),
        details: expect.objectContaining({ key }),
      }),
    );
    dispose();
  });

  it.each<[RunConfigInput, string]>([
    [{ workers: 4 }, 'workers'],
    // Two groups of four modules would be timed.
    [{ workers: 2 }, 'workers'],
    [{ placement: '0 1-3' }, 'placement'],
  ])('rejects optimizers that need a whole step, before anything is timed: %j', async (input, key) => {
    const config = resolveConfig({ ...base, ...input });
    const { compiled, dispose } = await buildPlan(config, images);
    const withBatch = vi.fn(noBatch);
    const started = runPipeline(config, {
      compiled,
      optimizer: { needsWholeStep: true },
      images,
      names: {},
      withBatch,
    });
    await expect(started).rejects.toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/: the optimizer needs the gradients of all modules in one call/),
        details: expect.objectContaining({ key }),
      }),
    );
    expect(withBatch).not.toHaveBeenCalled();
    dispose();
  });

  it.each<[RunConfigInput, string]>([
    [{ workers: 2 }, 'workers: '],
    [{ placement: '0 1-3' }, 'placement: '],
  ])('names the key that clips gradients: %j', async (input, place) => {
    const config = resolveConfig({ ...base, ...input, clipNorm: 1 });
    const { compiled, catalog, dispose } = await buildPlan(config, images);
    const optimizer = optimizerOf(config, catalog);
    const started = runPipeline(config, { compiled, optimizer, images, names: {}, withBatch: noBatch });
    await expect(started).rejects.toThrow(
      expect.objectContaining({
        message: `${place}the optimizer with clipNorm needs the gradients of all modules in one call, so 2 workers cannot update theirs alone; allowed: 1 worker.`,
        details: expect.objectContaining({ mentions: ['clipNorm'] }),
      }),
    );
    dispose();
  });

  it.each([{ workers: 2 }, { workers: 2, asynchronous: 'buffer: 2' }])(
    'explains that such optimizers cannot be divided: %j',
    async (input) => {
      const config = resolveConfig({ ...base, ...input });
      const { compiled, dispose } = await buildPlan(config, images);
      const optimizer = { ...sgd({ learningRate: 0.1 }), needsWholeStep: true };
      const explained = await explainPipeline({ config, compiled, optimizer, images, names: {} });
      expect(explained?.problem).toMatch(/the optimizer needs the gradients of all modules in one call/);
      dispose();
    },
  );

  it('rejects catalogs that worker threads cannot receive', async () => {
    await expect(pipelineOf({ workers: 2 }, { catalog: standardCatalog.with({}) })).rejects.toThrow(
      /workers know the standard catalog and the packages of the project only/,
    );
  });
});

describe('delay', () => {
  it('is part of the identity', () => {
    const ids = [{}, { delay: 0 }, { delay: 1 }].map((input) => configIdOf(resolveConfig(input)));
    expect(ids[0]).toBe(ids[1]);
    expect(ids[2]).not.toBe(ids[0]);
  });

  it('is applied to the plan of a run, and rejected with a memory budget', async () => {
    const delayed = async (input: RunConfigInput) => {
      const plan = await buildPlan(resolveConfig({ ...base, ...input }), images);
      try {
        return plan.compiled.histories.length;
      } finally {
        plan.dispose();
      }
    };
    expect(await delayed({ method: 'lam(dgl)' })).toBe(0);
    expect(await delayed({ method: 'lam(dgl)', delay: 1 })).toBeGreaterThan(0);
    await expect(delayed({ method: 'lam(dgl)', delay: 1, memoryBudget: '1GiB' })).rejects.toThrow(
      /memoryBudget does not count the weights of earlier steps/,
    );
  });
});

describe('asynchronous workers', () => {
  const asynchronous = 'buffer: 2, slow: 3@2';

  it('train groups of modules whose cuts nothing but activations crosses', async () => {
    const config = resolveConfig({ ...base, workers: 2, asynchronous });
    const plan = await buildPlan(config, images);
    const pipeline = await runAsynchronousPipeline(
      config,
      { compiled: plan.compiled, optimizer: {}, images, names: {} },
      plan.asynchrony ?? {},
    );
    plan.dispose();
    expect(pipeline.placement).toHaveLength(2);
    expect(pipeline.timing().map(({ module }) => module)).toEqual([0, 1, 2, 3]);
  });

  it('are rejected by the key of the config where something else crosses', async () => {
    const config = resolveConfig({ ...base, method: 'lam(dgl)', workers: 4, asynchronous });
    const plan = await buildPlan(config, images);
    const pipeline = runAsynchronousPipeline(
      config,
      { compiled: plan.compiled, optimizer: {}, images, names: {} },
      plan.asynchrony ?? {},
    );
    await expect(pipeline).rejects.toThrow(
      /^workers: 4; allowed: 1, because head '.*' follows '.*' across the cut before module 1/,
    );
    plan.dispose();
  });

  it('are rejected, as simulated ones are, if the gradients of a step are clipped together', async () => {
    const config = resolveConfig({ ...base, workers: 2, asynchronous, clipNorm: 1 });
    const plan = await buildPlan(config, images);
    const optimizer = optimizerOf(config, plan.catalog);
    const pipeline = runAsynchronousPipeline(
      config,
      { compiled: plan.compiled, optimizer, images, names: {} },
      plan.asynchrony ?? {},
    );
    await expect(pipeline).rejects.toThrow(
      'workers: the optimizer with clipNorm needs the gradients of all modules in one call, so 2 workers cannot update theirs alone; allowed: 1 worker.',
    );
    plan.dispose();
    const simulated = resolveConfig({ ...base, asynchronous, clipNorm: 1 });
    await expect(buildPlan(simulated, images)).rejects.toThrow(
      /^asynchronous: .*but the optimizer with clipNorm needs all gradients of a step at once/,
    );
  });

  it('train on one machine', () => {
    const config = resolveConfig({ ...base, workers: 2, asynchronous });
    expect(() => onMachines(config, 2)).toThrow(/^asynchronous: .* share the memory of one machine/);
  });
});

describe('gradientDelay', () => {
  it('is part of the identity, with its cuts', () => {
    const inputs = [{}, { gradientDelay: 0 }, { gradientDelay: 1 }, { gradientDelay: 1, gradientDelayCuts: '2' }];
    const ids = inputs.map((input) => configIdOf(resolveConfig(input)));
    expect(ids[0]).toBe(ids[1]);
    expect(new Set(ids).size).toBe(3);
  });

  it.each<[RunConfigInput, readonly number[] | undefined]>([
    [{ method: 'dgl', gradientDelay: 1 }, undefined],
    [{ method: 'backprop' }, undefined],
    [{ method: 'backprop', gradientDelay: 1 }, [1, 2, 3]],
    [{ method: 'backprop', gradientDelay: 1, accumulate: 2 }, [1, 2, 3]],
    [{ method: 'mlaan(dgl)', gradientDelay: 2, gradientDelayCuts: '3 2' }, [2, 3]],
  ])('delays the gradients of a run: %j', async (input, cuts) => {
    const plan = await buildPlan(resolveConfig({ ...base, ...input }), images);
    expect(plan.compiled.gradientDelay?.cuts).toEqual(cuts);
    plan.dispose();
  });

  it.each<[RunConfigInput, RegExp]>([
    [{ gradientDelayCuts: '2' }, /gradientDelayCuts: has no effect without gradientDelay/],
    [{ gradientDelay: 1, memoryBudget: '1GiB' }, /memoryBudget does not count the batches of earlier steps/],
    [{ gradientDelay: 1, gradientDelayCuts: '2' }, /no gradient of 'dgl' crosses the cut before module 2.*no cuts/],
    [{ method: 'sequential(mlm(dgl))', gradientDelay: 1 }, /its plan has phases/],
    [
      { method: 'backprop', gradientDelay: 1, gradientDelayCuts: '2', placement: '0 1-3' },
      /the gradient of 'final' crosses the cut before module 1 without delay.*'0-1 2-3'/,
    ],
  ])('rejects what cannot be delayed: %j', async (input, message) => {
    await expect(pipelineOf(input)).rejects.toThrow(message);
  });

  it('is explained, with its memory', async () => {
    const config = resolveConfig({ ...base, method: 'backprop', gradientDelay: 1 });
    const { gradientDelay, totals } = await explain({ ...config, image: [8, 8, 1], classes: 3 });
    expect(gradientDelay).toMatchObject({ steps: 1, cuts: [1, 2, 3] });
    expect(gradientDelay?.keptBytes).toBeGreaterThan(0);
    expect(totals.predictedPeakBytes).toBeGreaterThan(gradientDelay?.keptBytes ?? 0);
  });
});

describe('workers and placement', () => {
  it('are no part of the identity', () => {
    const ids = [{}, { workers: 3 }, { placement: '0-1 2-3' }].map((input) => configIdOf(resolveConfig(input)));
    expect(new Set(ids).size).toBe(1);
  });

  it('are part of the identity if the workers are asynchronous', () => {
    const inputs: RunConfigInput[] = [{}, { workers: 2 }, { workers: 3 }, { placement: '0-1 2-3' }];
    const ids = inputs.map((input) => configIdOf(resolveConfig({ ...input, asynchronous: 'buffer: 2' })));
    expect(new Set(ids).size).toBe(4);
    expect(configIdOf(resolveConfig({ asynchronous: 'buffer: 2', workers: 1 }))).toBe(ids[0]);
  });

  it('need a backend that each thread can start', () => {
    const config = resolveConfig({ workers: 2 });
    expect(() => checkWorkerBackend(config, 'wasm')).not.toThrow();
    expect(() => checkWorkerBackend(resolveConfig({}), 'webgpu')).not.toThrow();
    expect(() => checkWorkerBackend(config, 'webgpu')).toThrow(
      /^workers: workers need backend wasm, tensorflow or cpu, but the run's is 'webgpu'; set backend to wasm\.$/,
    );
  });

  it('may have native TensorFlow if the config names it, with one number of threads for the process', () => {
    const native = resolveConfig({ workers: 2, backend: 'tensorflow' });
    expect(() => checkWorkerBackend(native, 'tensorflow')).not.toThrow();
    expect(() => checkWorkerBackend(resolveConfig({ workers: 2 }), 'tensorflow')).toThrow(
      /the run's is 'tensorflow'; set backend to wasm or tensorflow\.$/,
    );
    expect(mainThreadsOf(native)).toBe(1);
    expect(mainThreadsOf({ ...native, threads: 2 })).toBe(2);
    expect(mainThreadsOf(resolveConfig({ workers: 2, backend: 'wasm' }))).toBe('auto');
    expect(mainThreadsOf(resolveConfig({ backend: 'tensorflow' }))).toBe('auto');
  });

  it('send workers the names and types of targets without their values', () => {
    const values = new Float32Array(20);
    const sent = withoutValues({
      ...images,
      labels: Uint8Array.of(1, 2, 0),
      targets: { depth: { shape: [2], values } },
    });
    expect(sent).toEqual({
      ...images,
      labels: Uint8Array.of(1),
      targets: { depth: { shape: [2], values: new Float32Array() } },
    });
    expect(withoutValues(images)).toEqual(images);
  });
});

describe('explain', () => {
  const explained = async (input: RunConfigInput) =>
    (await explain({ ...resolveConfig({ ...base, ...input }), image: [8, 8, 1], classes: 3 })).pipeline;

  it('lists what crosses each cut, and the share of each worker', async () => {
    expect(await explained({})).toBeUndefined();
    const { cuts = [], workers = [], problem } = (await explained({ workers: 2, batch: 10 })) ?? {};
    expect(problem).toBeNull();
    expect(cuts.map(({ cut, isFree }) => [cut, isFree])).toEqual([1, 2, 3].map((cut) => [cut, true]));
    const [height, width, channels] = cuts[0]?.activation ?? [0, 0, 0];
    expect(cuts[0]?.forwardBytes).toBe(4 * 10 * height * width * channels + 4 * 10);
    expect(workers.reduce((sum, { work }) => sum + work, 0)).toBeCloseTo(1);
    expect(workers.flatMap(({ modules }) => modules)).toEqual([0, expect.any(Number), expect.any(Number), 3]);
    expect(workers.every(({ predictedPeakBytes }) => predictedPeakBytes > 1000)).toBe(true);
  });

  it('says why a plan cannot be divided', async () => {
    const method = 'lam(dgl, emaTime: beforeStep, emaTrainable: true)';
    const { cuts = [], workers, problem } = (await explained({ placement: '0 1-3', method })) ?? {};
    expect([cuts.length, workers]).toEqual([3, []]);
    expect(problem).toMatch(/across the cut before module 1, and its average is trained/);
  });

  it('lists the bytes that workers wait for', async () => {
    const { cuts = [], workers = [] } = (await explained({ workers: 2, batch: 10, method: 'mlaan(dgl)' })) ?? {};
    const [cut] = cuts;
    const [height, width, channels] = cut?.activation ?? [0, 0, 0];
    expect(cut?.backwardBytes).toBe(4 * 10 * height * width * channels);
    expect(cut?.followedBytes).toBeGreaterThan(4 * 9);
    expect(workers).toHaveLength(2);
  });

  it('predicts no training of asynchronous workers, and their buffers by worker', async () => {
    const options = { ...resolveConfig({ ...base, workers: 2, asynchronous: 'buffer: 3' }), batch: 10, classes: 3 };
    const { pipeline, asynchrony, totals } = await explain({ ...options, image: [8, 8, 1] });
    const synchronous = await explain({ ...options, asynchronous: 'none', image: [8, 8, 1] });
    expect(pipeline?.isAsynchronous).toBe(true);
    const forecast = explain({ ...options, image: [8, 8, 1], machines: { bandwidth: 1e9 } });
    await expect(forecast).rejects.toThrow('bandwidth: has no effect on asynchronous workers');
    const [first] = pipeline?.workers ?? [];
    expect(asynchrony?.buffers).toEqual([
      { module: first?.modules[1], slots: 3, targets: ['labels'], bytes: 3 * (pipeline?.cuts[1]?.forwardBytes ?? 0) },
    ]);
    expect(asynchrony).not.toHaveProperty('timing');
    expect(totals.predictedPeakBytes).toBe(synchronous.totals.predictedPeakBytes);
  });

  it('predicts training on machines, beside end-to-end training', async () => {
    const forecastOf = async (method: string, machines = { bandwidth: 1e9, latency: 1e-3, speed: 1e9 }) => {
      const options = { ...resolveConfig({ ...base, method, workers: 2, batch: 10 }), image: [8, 8, 1] as const };
      const explanation = await explain({ ...options, classes: 3, machines });
      return explanation.pipeline?.forecast?.strategies ?? [];
    };
    const strategies = await forecastOf('dgl');
    expect(strategies.map(({ strategy }) => strategy)).toEqual([
      'localPipeline',
      'dataParallel',
      'gpipe',
      'oneForwardOneBackward',
    ]);
    const [local] = strategies;
    expect(local?.imagesPerSecond).toBeCloseTo(10 / (local?.slowestSeconds ?? 0));
    expect(local?.memoryBytes).toEqual(
      (await explained({ workers: 2, batch: 10 }))?.workers.map((one) => one.predictedPeakBytes),
    );
    const faster = await forecastOf('dgl', { bandwidth: 1e9, latency: 1e-3, speed: 2e9 });
    expect(faster[0]?.slowestSeconds).toBeCloseTo((local?.slowestSeconds ?? 0) / 2);
    expect((await forecastOf('mlm(dgl)')).map(({ strategy }) => strategy)).toHaveLength(3);
  });
});
