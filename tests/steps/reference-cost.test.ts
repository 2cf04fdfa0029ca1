import { cifarResNet } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { backprop } from '@localgrad/backprop';
import {
  at,
  clockAt,
  createNetwork,
  type LocalLearningMethod,
  resolvePartition,
  startOfTraining,
} from '@localgrad/core';
import { compilePlan, createLiteralExecutor, createTrainStep, describePlan } from '@localgrad/engine';
import { greedy } from '@localgrad/greedy';
import { MemoryMeter } from '@localgrad/kernels';
import { mlaan } from '@localgrad/mlaan';
import { mlm } from '@localgrad/mlm';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import { sequential } from '@localgrad/sequential';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

function compile(method: LocalLearningMethod, modules: number, depth = 14) {
  const scope = createScope(1);
  const backbone = cifarResNet({ depth }).build({ inputShape: [16, 16, 3], classes: 10, scope });
  const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules }));
  return { scope, compiled: compilePlan(network, method.plan(network), { scope }) };
}

describe('the cost of the reference procedure', () => {
  let backend: BackendHandle;
  beforeAll(async () => {
    backend = await selectBackend('wasm');
  });
  afterAll(() => backend.dispose());

  // Inner modules: 3 (w + 1) units, as docs/methods/engine.md §5 counts the published code, including cut windows at
  // the start.
  it.each([
    [1, [3, 3, 3, 3, 3, 3], [3, 3, 3, 3, 3, 3]],
    [2, [6, 9, 9, 9, 9, 6], [3, 4, 4, 4, 4, 4]],
    [3, [9, 12, 12, 12, 9, 6], [3, 4, 5, 5, 5, 4]],
  ])('windows of %i', (window, reference, own) => {
    const { modules } = describePlan(compile(mlm(greedy(), { window }), 6).compiled, 4);
    expect(modules.map(({ referenceUnitsOfWork }) => referenceUnitsOfWork)).toEqual(reference);
    expect(modules.map(({ unitsOfWork }) => unitsOfWork)).toEqual(own);
  });

  it('repeats nothing if no module belongs to two spans', () => {
    for (const method of [backprop(), greedy()]) {
      const { totals, modules } = describePlan(compile(method, 4).compiled, 4);
      expect(totals.reference.unitsOfWork).toBe(totals.unitsOfWork);
      expect(modules.map(({ referenceUnitsOfWork }) => referenceUnitsOfWork)).toEqual([3, 3, 3, 3]);
    }
  });

  it('runs frozen modules forward, and no module after the last loss of a phase', () => {
    const { modules, totals } = describePlan(compile(sequential(greedy()), 4).compiled, 4);
    expect(totals.reference.unitsOfWork).toBe(totals.unitsOfWork);
    expect(modules.map(({ referenceUnitsOfWork }) => referenceUnitsOfWork)).toEqual([3, 3, 3, 3]);
  });

  it.each([0, 1, 2, 3])('runs as many modules forward as predicted in phase %i of sequential training', (index) => {
    const { compiled, scope } = compile(sequential(greedy()), 4);
    const clock = clockAt(index, 1, 4);
    const phase = compiled.phaseAt(clock);
    const images = tf.zeros<tf.Rank.R4>([2, 16, 16, 3]);
    const labels = tf.tensor1d([0, 1], 'int32');
    const spies = compiled.network.modules.map(({ blocks }) => vi.spyOn(at(blocks, 0, 'block'), 'forward'));
    const onGradients = (group: readonly { gradient: tf.Tensor }[]) =>
      tf.dispose(group.map(({ gradient }) => gradient));
    const { losses } = createLiteralExecutor(compiled).step({ images, targets: { labels } }, { clock, onGradients });
    expect(spies.map((spy) => spy.mock.calls.length)).toEqual([0, 1, 2, 3].map((module) => (module <= index ? 1 : 0)));
    expect(phase.name).toBe(`module ${index}`);
    vi.restoreAllMocks();
    tf.dispose([images, labels, ...losses.values()]);
    for (const parameter of scope.all().values()) parameter.dispose();
  });

  it("counts MLAAN's published code as docs/methods/engine.md §4 does", () => {
    const { modules, totals, objectives } = describePlan(
      compile(mlaan(greedy(), { variant: 'officialCode' }), 15, 32).compiled,
      64,
    );
    // Module 0: two forward passes, one backward pass (no loss of its own); likewise the last one.
    expect(modules.map(({ referenceUnitsOfWork }) => referenceUnitsOfWork)).toEqual([4, ...Array(13).fill(9), 4]);
    expect(totals.unitsOfWork / totals.reference.unitsOfWork).toBeLessThan(0.78);
    expect(totals.predictedPeakBytes).toBeLessThan(totals.reference.predictedPeakBytes);
    // Only the last chain's average is updated.
    const momenta = objectives.flatMap(({ chain }) => (chain === undefined ? [] : [chain.momentum]));
    expect(momenta).toEqual([...Array(12).fill(1), 0.995]);
  });

  it.each<[string, LocalLearningMethod]>([
    ['greedy', greedy()],
    ['MLM, windows of 2', mlm(greedy())],
    ['MLM, windows of 3', mlm(greedy(), { window: 3 })],
    ['MLAAN', mlaan(greedy())],
  ])('%s: predicted and measured peak memory agree within 10 %', (_, method) => {
    const batchSize = 16;
    const meter = new MemoryMeter();
    const { compiled, scope } = compile(method, 6);
    const optimizer = sgd({ learningRate: 0.05 });
    const trainStep = createTrainStep({ compiled, optimizer, executor: createLiteralExecutor });
    const images = tf.randomNormal<tf.Rank.R4>([batchSize, 16, 16, 3], 0, 1, 'float32', 3);
    const labels = tf.tensor1d(new Int32Array(batchSize), 'int32');
    for (let step = 0; step < 2; step++) {
      if (step === 1) meter.reset();
      const { losses } = trainStep.run({ images, targets: { labels } }, startOfTraining);
      for (const loss of losses.values()) loss.dispose();
    }
    const measured = meter.peakBytes;
    meter.detach();
    optimizer.dispose();
    tf.dispose([images, labels]);
    for (const parameter of scope.all().values()) parameter.dispose();
    const ratio = measured / describePlan(compiled, batchSize).totals.reference.predictedPeakBytes;
    expect(ratio).toBeGreaterThan(0.9);
    expect(ratio).toBeLessThan(1.1);
  });
});
