import type { Backbone, Head } from '@localgrad/core';
import { createNetwork, resolvePartition } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan } from '@localgrad/engine';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { advantage, bestOf, choiceValue, consoleProgress, resultsOf, type TrainingEvent, train } from './index.js';
import { setUp, toyBatches } from './trainer.fixture.js';

beforeAll(() => tf.setBackend('cpu'));

const loss = { name: 'loss', lowerIsBetter: true };

/** Trains three epochs, with validation and test batches. */
async function run(metric?: string, change: (head: Head) => Partial<Head> = () => ({})) {
  const scope = createScope(7);
  const { compiled, optimizer, dispose } = setUp(dgl(), 2);
  const { backbone, modules } = compiled.network;
  const classifier = { ...backbone.classifier, ...change(backbone.classifier) };
  const own: Backbone = { ...backbone, classifier };
  const network = createNetwork(own, resolvePartition(own.blocks, { modules: modules.length }));
  const events: TrainingEvent[] = [];
  try {
    const result = await train({
      ...{ compiled: compilePlan(network, dgl().plan(network), { scope }), optimizer, learningRate: 0.3, epochs: 3 },
      ...(metric === undefined ? {} : { metric }),
      batches: toyBatches(24, 8),
      validationBatches: toyBatches(16, 8, 3),
      testBatches: toyBatches(16, 8, 2),
      observers: [{ observe: (event) => events.push(event) }],
    });
    return { result, events };
  } finally {
    dispose();
    for (const parameter of scope.all().values()) parameter.dispose();
  }
}

/** Measures an error beside the accuracy, which grows with it. */
const withError =
  (errorMetrics?: readonly string[]) =>
  (head: Head): Partial<Head> => ({
    ...(errorMetrics === undefined ? {} : { errorMetrics }),
    measure: (h, targets) => {
      const measured = new Map(head.measure?.(h, targets));
      return measured.set('error', tf.add(measured.get('accuracy') as tf.Tensor, 1));
    },
  });

describe('a metric', () => {
  it('compares values in its direction', () => {
    const iou = { name: 'meanIoU', lowerIsBetter: false };
    expect([advantage(iou, 0.5, 0.25), advantage(loss, 0.5, 0.25)]).toEqual([0.25, -0.25]);
    expect([bestOf(iou, [1, 3, 2]), bestOf(loss, [2, 1, 3]), bestOf(loss, [])]).toEqual([3, 1, null]);
  });

  it('is read from validation images if there are any, and from finite values only', () => {
    const record = { metric: loss, testAccuracy: 0.9, testMetrics: { loss: 2 }, validationMetrics: { loss: 3 } };
    expect(choiceValue(record)).toBe(3);
    expect(choiceValue({ ...record, validationMetrics: { loss: Number.NaN } })).toBe(2);
    expect(choiceValue({ ...record, validationMetrics: {}, testMetrics: { loss: 'NaN' } })).toBeUndefined();
    expect(choiceValue({ testAccuracy: 0.9, testMetrics: { loss: 2 } })).toBe(0.9);
  });
});

describe('train with a metric', () => {
  it('chooses the epoch with the lowest validation loss, and names the metric in every record', async () => {
    const { result, events } = await run('loss');
    const losses = result.epochs.map(({ validationLoss = Number.NaN }) => validationLoss);
    const best = losses.indexOf(Math.min(...losses));
    expect(result.metric).toEqual(loss);
    expect(result.epochs.map(({ metric }) => metric)).toEqual([loss, loss, loss]);
    expect(result.validation?.best).toEqual({
      epoch: best + 1,
      accuracy: result.epochs[best]?.validationAccuracy,
      testAccuracy: result.epochs[best]?.testAccuracy,
    });
    expect(events.at(-1)).toMatchObject({ type: 'run-end', metric: loss });
    expect(resultsOf(result)).toEqual({
      metric: loss,
      test: result.epochs[2]?.testLoss,
      bestTest: Math.min(...result.epochs.map(({ testLoss = Number.NaN }) => testLoss)),
      validation: losses[2],
      best: { epoch: best + 1, value: losses[best], test: result.epochs[best]?.testLoss },
    });
  });

  it('leaves records of accuracy as they were, which other metrics can be read from', async () => {
    const { result } = await run();
    const { result: named } = await run('accuracy');
    expect([result, named].map(({ metric, epochs }) => [metric, epochs[0]?.metric])).toEqual([
      [undefined, undefined],
      [undefined, undefined],
    ]);
    expect(named.validation).toEqual(result.validation);
    expect(resultsOf(result)).toMatchObject({ test: result.testAccuracy, bestTest: result.bestTestAccuracy });
    expect(resultsOf(result, loss).test).toBe(result.epochs[2]?.testLoss);
  });

  it.each([
    ['is the main one of the head', undefined, { mainMetric: 'error' }, undefined, false],
    ['is the named one before that of the head', 'loss', { mainMetric: 'error' }, undefined, true],
    ['is an error of the head', 'error', {}, ['error'], true],
  ] as const)('%s', async (_, metric, more, errors, lowerIsBetter) => {
    const { result } = await run(metric, (head) => ({ ...withError(errors)(head), ...more }));
    expect(result.metric).toEqual({ name: metric ?? 'error', lowerIsBetter });
    const values = result.epochs.map(
      ({ validationMetrics = {} }) => validationMetrics[metric ?? 'error'] ?? Number.NaN,
    );
    const best = lowerIsBetter ? Math.min(...values) : Math.max(...values);
    expect(result.validation?.best?.epoch).toBe(values.indexOf(best) + 1);
  });

  it('rejects a metric that the head does not measure, before the first step', async () => {
    const before = tf.memory().numTensors;
    await expect(run('meanIoU')).rejects.toThrow("train: option 'metric' is 'meanIoU'; allowed: loss, accuracy.");
    await expect(run(undefined, () => ({ mainMetric: 'iou' }))).rejects.toThrow(
      /Head '.*' names 'iou' as its main metric, but measures only: loss, accuracy\./,
    );
    expect(tf.memory().numTensors).toBe(before);
  });

  it('is shown while training', async () => {
    const { events } = await run('loss');
    const lines: string[] = [];
    const progress = consoleProgress({ write: (text) => lines.push(text) });
    for (const event of events) progress.observe(event);
    expect(lines[1]).toMatch(/ {2}validation loss [\d.]+ {2}test loss [\d.]+ {2}\d+ images/);
    expect(lines.at(-1)).toMatch(/^done: test loss [\d.]+, peak/);
    expect(lines.join('')).not.toContain('accuracy');
  });
});
