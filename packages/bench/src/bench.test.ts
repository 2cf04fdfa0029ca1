import { backboneFactory } from '@localgrad/backbones';
import { backprop } from '@localgrad/backprop';
import { at, createNetwork, resolvePartition } from '@localgrad/core';
import { compilePlan, createExecutor } from '@localgrad/engine';
import { createScope } from '@localgrad/nn/random';
import { explain } from '@localgrad/runs';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { benchStep } from './bench-step.js';
import { csvOf } from './csv.js';
import { spreadOf } from './measure.js';
import type { BenchStepOptions, PeerName } from './options.js';
import { splitMethods } from './split-methods.js';
import { stepRecords } from './step-csv.js';
import { createStockTape, randomBatch } from './stock-tape.js';

const options: BenchStepOptions = {
  backbone: 'resnet8',
  width: 2,
  modules: 3,
  partition: 'even',
  stemModule: undefined,
  methods: ['dgl'],
  memory: 'residuals',
  batch: 4,
  image: [8, 8, 3],
  classes: 10,
  backend: 'cpu',
  threads: 1,
  repeats: 3,
  warmup: 1,
  include: ['pytorch'],
  python: '/nowhere/python3',
};

const quiet = { stdout: { write: () => {} }, stderr: { write: () => {} } };

describe('benchStep', () => {
  it('ends after the current step when an event of the process asks for it', async () => {
    const controller = new AbortController();
    const endless = { ...options, include: [], repeats: 1e6 };
    const measured = benchStep(endless, { ...quiet, signal: controller.signal });
    setTimeout(() => controller.abort(new Error('stopped')), 50);
    await expect(measured).rejects.toThrow('stopped');
  });

  it('interleaves the steps, and reports ratios to end-to-end training', async () => {
    const lines: string[] = [];
    const report = await benchStep(options, { ...quiet, stderr: { write: (text) => lines.push(text) } });
    expect(report.rows.map(({ method }) => method)).toEqual(['backprop', 'backprop+recompute', 'dgl']);
    const [reference, recomputed, dgl] = report.rows;
    expect(recomputed?.unitsOfWork).toBeGreaterThan(reference?.unitsOfWork ?? 0);
    expect(recomputed?.peakBytes).toBeLessThanOrEqual(reference?.peakBytes ?? 0);
    expect(reference).toMatchObject({
      backbone: 'resnet8',
      modules: 3,
      backend: 'cpu',
      batch: 4,
      relativeToBackprop: { time: 1, memory: 1, stepMemory: 1 },
    });
    expect(dgl?.stepMs.min).toBeLessThanOrEqual(dgl?.stepMs.median ?? 0);
    expect(dgl?.stepMs.median).toBeLessThanOrEqual(dgl?.stepMs.max ?? 0);
    expect(dgl?.relativeToBackprop.time).toBeCloseTo((dgl?.stepMs.median ?? 0) / (reference?.stepMs.median ?? 1));
    expect(dgl?.relativeToBackprop.memory).toBeCloseTo((dgl?.peakBytes ?? 0) / (reference?.peakBytes ?? 1));
    expect(dgl?.imagesPerSecond).toBeCloseTo(4000 / (dgl?.stepMs.median ?? 1));
    expect(report.missing).toEqual([{ name: 'pytorch', reason: expect.stringContaining('/nowhere/python3') }]);
    expect(lines.join('')).toContain('MISSING pytorch');
    const [header = '', ...rows] = csvOf(report.environment, report.device, stepRecords(report)).trim().split('\n');
    expect(rows).toHaveLength(3);
    for (const row of rows) expect(row.split(',')).toHaveLength(header.split(',').length);
  });

  it('measures networks and heads that read label maps', async () => {
    const network = { backbone: 'fcn-resnet18(layers: [1, 1, 1, 1])', modules: 2, image: [16, 24, 3] } as const;
    const methods = ['dgl(head: infopro-segmentation)'];
    const report = await benchStep({ ...options, ...network, methods, classes: 3, include: [], repeats: 1 }, quiet);
    expect(report.rows).toHaveLength(3);
    for (const { method, peakBytes, predictedPeakBytes } of report.rows)
      expect(peakBytes, method).toBeGreaterThan(0.9 * (predictedPeakBytes ?? Number.NaN));
  });

  it('counts the same peak with other contestants alive', async () => {
    const alone = await benchStep({ ...options, methods: [], include: [], repeats: 2 }, quiet);
    const beside = await benchStep({ ...options, methods: ['greedy', 'dgl'], include: [], repeats: 2 }, quiet);
    expect(beside.rows[0]?.peakBytes).toBe(alone.rows[0]?.peakBytes);
  });

  it('times the procedure of reference code beside each method', async () => {
    const methods = ['mlm(greedy, window: 3)', 'mlaan(infopro(ixx1: 1, ixx2: 1))'];
    const { rows } = await benchStep({ ...options, methods, include: ['literal'], repeats: 2 }, quiet);
    expect(rows.map(({ method }) => method)).toEqual([
      'backprop',
      'backprop+recompute',
      ...methods.flatMap((name) => [name, `literal ${name}`]),
    ]);
    const [, , own, literal] = rows;
    expect(own?.relativeToLiteral).toEqual({
      time: (own?.stepMs.median ?? 0) / (literal?.stepMs.median ?? 1),
      memory: (own?.peakBytes ?? 0) / (literal?.peakBytes ?? 1),
      stepMemory: (own?.stepBytes ?? 0) / (literal?.stepBytes ?? 1),
    });
    for (const row of rows) expect(row.stepBytes).toBeLessThan(row.peakBytes ?? 0);
    expect(literal?.relativeToLiteral).toBeUndefined();
  });

  it('predicts the cost of the reference procedure for its row', async () => {
    const methods = ['mlm(dgl)'];
    const how = { methods, include: ['literal'] as const, memory: 'recompute' as const, batch: 16, backend: 'wasm' };
    const { rows } = await benchStep({ ...options, ...how, repeats: 2 }, quiet);
    const [, , own, literal] = rows;
    const { modules, partition, backbone, width, batch, image, classes, memory } = { ...options, ...how };
    const network = { modules, partition, stemModule: undefined, backbone, width, batch, image, classes, memory };
    const { totals } = await explain({ ...network, method: 'mlm(dgl)', seed: 1 });
    expect(own?.unitsOfWork).toBe(totals.unitsOfWork);
    expect(literal?.unitsOfWork).toBe(totals.reference.unitsOfWork);
    expect(literal?.unitsOfWork).toBeGreaterThan(own?.unitsOfWork ?? 0);
    expect(literal?.predictedPeakBytes).toBeGreaterThan(own?.predictedPeakBytes ?? 0);
  });

  it('measures methods with phases in the most expensive ones, with the state of all weights', async () => {
    const how = {
      backbone: 'resnet14',
      width: 4,
      methods: ['sequential(greedy)'],
      include: [],
      batch: 16,
      backend: 'wasm',
    };
    const { rows } = await benchStep({ ...options, ...how, repeats: 2 }, quiet);
    const row = at(rows, 2, 'row');
    expect(row.phases).toMatchObject({ count: 3, time: 'module 2' });
    const ratio = (row.peakBytes ?? Number.NaN) / (row.predictedPeakBytes ?? Number.NaN);
    expect(Math.abs(ratio - 1)).toBeLessThan(0.1);
    expect(rows[0]?.phases).toBeUndefined();
  });

  it('stores the activations of the first baseline, whatever the methods recompute', async () => {
    const how = { methods: ['mlm(dgl)'], include: [], repeats: 1, batch: 16 };
    const stored = await benchStep({ ...options, ...how }, quiet);
    const recomputed = await benchStep({ ...options, ...how, memory: 'recompute' }, quiet);
    const costs = ({ rows }: typeof stored) => rows.map(({ unitsOfWork, peakBytes }) => [unitsOfWork, peakBytes]);
    expect(costs(recomputed).slice(0, 2)).toEqual(costs(stored).slice(0, 2));
    expect(costs(recomputed)[2]).not.toEqual(costs(stored)[2]);
  });

  it('rejects more micro-batches than images', async () => {
    const wrong = benchStep({ ...options, accumulate: 8 }, quiet);
    await expect(wrong).rejects.toThrow(/accumulate.*8; allowed: integers from 1 to 4, the batch size/);
  });

  it('says that steps are ordinary anyway, on a backend that does not record them', async () => {
    const { rows, missing } = await benchStep({ ...options, methods: [], include: ['ordinary'], repeats: 1 }, quiet);
    expect(rows.map(({ method }) => method)).toEqual(['backprop', 'backprop+recompute']);
    expect(missing).toEqual([{ name: 'ordinary', reason: expect.stringContaining('does not record steps') }]);
  });

  it('says that a backend has one thread already', async () => {
    const { rows, missing } = await benchStep({ ...options, methods: [], include: ['one-thread'], repeats: 1 }, quiet);
    expect(rows.every(({ relativeToOneThread }) => relativeToOneThread === undefined)).toBe(true);
    expect(missing).toEqual([{ name: 'one-thread', reason: "Backend 'cpu' has one thread already." }]);
  });

  it('predicts and measures with the requested optimizer, clipping and accumulation', async () => {
    const small = { ...options, methods: [], include: [], repeats: 2 };
    const { rows } = await benchStep(small, quiet);
    const adam = await benchStep({ ...small, optimizer: 'adam' }, quiet);
    const [plain, withAdam] = [at(rows, 0, 'row'), at(adam.rows, 0, 'row')];
    // Adam has two state values per weight, SGD one.
    expect(withAdam.predictedPeakBytes).toBeGreaterThan(plain.predictedPeakBytes ?? Number.NaN);
    expect(withAdam.peakBytes).toBeGreaterThan(plain.peakBytes ?? Number.NaN);
    // Clipping needs all gradients of a step at once.
    const clipped = at((await benchStep({ ...small, clipNorm: 1 }, quiet)).rows, 0, 'row');
    expect(clipped.predictedPeakBytes).toBeGreaterThan(plain.predictedPeakBytes ?? Number.NaN);
    expect(clipped.peakBytes).toBeGreaterThan(plain.peakBytes ?? Number.NaN);
    const large = { ...small, batch: 32 };
    const whole = at((await benchStep(large, quiet)).rows, 0, 'row');
    const parts = at((await benchStep({ ...large, accumulate: 4 }, quiet)).rows, 0, 'row');
    expect(parts.predictedPeakBytes).toBeLessThan(whole.predictedPeakBytes ?? Number.NaN);
    expect(parts.peakBytes).toBeLessThan(whole.peakBytes ?? Number.NaN);
    expect(parts.unitsOfWork).toBe(whole.unitsOfWork);
  });

  it('measures the predicted peak where an update writes to new memory', async () => {
    const wide = 'mlp(layers: 2, width: 256)';
    const how = {
      backbone: wide,
      width: undefined,
      modules: 3,
      methods: ['dgl'],
      include: [],
      repeats: 2,
      optimizer: 'adam',
    };
    const { rows } = await benchStep({ ...options, ...how, backend: 'wasm' }, quiet);
    for (const { peakBytes, predictedPeakBytes } of rows) {
      const ratio = (peakBytes ?? Number.NaN) / (predictedPeakBytes ?? Number.NaN);
      expect(ratio).toBeGreaterThan(0.97);
      expect(ratio).toBeLessThan(1.03);
    }
  });

  it.each([
    [{ optimizer: 'adam' }, /'sgd' without clipping and accumulation only; found optimizer 'adam', accumulate 1/],
    [{ clipNorm: 1 }, /found optimizer 'sgd', clipNorm 1, accumulate 1/],
  ])('reports peers as missing if they cannot measure %o', async (optimization, expected) => {
    const include: PeerName[] = ['stock-tape', 'pytorch'];
    const { missing } = await benchStep({ ...options, methods: [], include, ...optimization }, quiet);
    expect(missing.map(({ name }) => name)).toEqual(include);
    for (const { reason } of missing) expect(reason).toMatch(expected);
  });

  it('computes the median', () => {
    expect(spreadOf([9, 1, 2])).toEqual({ median: 2, min: 1, max: 9 });
    expect(spreadOf([1, 2, 4, 9]).median).toBe(3);
    expect(spreadOf([5]).median).toBe(5);
  });

  it('splits lists of methods outside parentheses', () => {
    expect(splitMethods('dgl(head: 1c2f, widen: 2), greedy backprop')).toEqual([
      'dgl(head: 1c2f, widen: 2)',
      'greedy',
      'backprop',
    ]);
  });
});

describe('stock tape', () => {
  beforeAll(() => tf.setBackend('cpu'));

  it('computes the loss of end-to-end training on the engine, at every step', () => {
    const scope = createScope(3);
    const backbone = backboneFactory('resnet8', { width: 2 }).build({ inputShape: [8, 8, 3], classes: 10, scope });
    const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 1 }));
    const compiled = compilePlan(network, backprop().plan(network), { scope });
    const tape = createStockTape(
      [...compiled.parameters.values()].filter(({ kind }) => kind === 'weight'),
      { learningRate: 0 },
    );
    const { images, labels } = randomBatch(6, [8, 8, 3], 10);
    const { losses } = createExecutor(compiled).step(
      { images, targets: { labels } },
      { onGradients: (group) => tf.dispose(group.map(({ gradient }) => gradient)) },
    );
    const expected = losses.get('final')?.dataSync()[0] ?? Number.NaN;
    const before = tf.memory().numTensors;
    const [first, second] = [tape.step(images, labels), tape.step(images, labels)];
    expect(first.dataSync()[0]).toBeCloseTo(expected, 5);
    expect(second.dataSync()[0]).toBeCloseTo(expected, 5);
    tf.dispose([first, second]);
    // The first step creates the optimizer's slots, one per weight.
    const weights = [...compiled.parameters.values()].filter(({ kind }) => kind === 'weight').length;
    expect(tf.memory().numTensors - before).toBe(weights);
    tape.dispose();
  });

  it('reduces the loss', () => {
    const scope = createScope(3);
    const { blocks, classifier } = backboneFactory('resnet8', { width: 2 }).build({
      inputShape: [8, 8, 3],
      classes: 10,
      scope,
    });
    const tape = createStockTape([...blocks.flatMap(({ block }) => block.parameters), ...classifier.parameters], {
      learningRate: 0.05,
    });
    const { images, labels } = randomBatch(6, [8, 8, 3], 10);
    const losses = Array.from({ length: 8 }, () => tape.step(images, labels).dataSync()[0] ?? Number.NaN);
    expect(losses.at(-1)).toBeLessThan(0.5 * (losses[0] ?? 0));
  });
});
