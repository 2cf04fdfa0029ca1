import { at, type Span } from '@localgrad/core';
import type { Batch } from '@localgrad/engine';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { groupsToDivide } from '../divide.js';
import { build, type FixtureConfig, imageShape } from '../plan.fixture.js';
import { timeGroups } from './time-groups.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const samples = 6;

/** Times the groups of a plan, and returns what has changed besides. */
function timed(config: FixtureConfig, workers: number, accumulate = 1) {
  const { compiled, optimizer, scope } = build(config);
  const images = tf.randomNormal<tf.Rank.R4>([samples, ...imageShape], 0, 1, 'float32', 1);
  const targets = { labels: tf.tensor1d([0, 1, 2, 0, 1, 2], 'int32'), images: tf.sigmoid<tf.Tensor4D>(images) };
  const batch: Batch = { images, targets };
  const groups: Span[] = groupsToDivide(compiled, workers);
  const updated = new Set<string>();
  const rates = new Set<number>();
  const update = vi.spyOn(optimizer, 'update').mockImplementation((gradients, { learningRate }) => {
    rates.add(learningRate);
    for (const { parameter, gradient } of gradients) {
      updated.add(parameter.name);
      gradient.dispose();
    }
  });
  const tensors = tf.memory().numTensors;
  const seconds = timeGroups({ compiled, optimizer, groups, batch, accumulate, limits: { steps: 2 } });
  const leaked = tf.memory().numTensors - tensors;
  const missing = [...compiled.parameters.values()]
    .filter(({ kind, name }) => kind === 'weight' && !updated.has(name))
    .map(({ name }) => name);
  update.mockRestore();
  for (const parameter of scope.all().values()) parameter.dispose();
  tf.dispose([images, ...Object.values(targets)]);
  return { groups, seconds, leaked, rates: [...rates], missing };
}

describe('timeGroups', () => {
  it.each<[string, number, number]>([
    ['dgl', 4, 1],
    ['dgl', 4, 3],
    ['infopro', 2, 1],
    // Gradients cross between the groups.
    ['mlm(dgl)', 3, 2],
    ['backprop', 2, 1],
    // Averages follow weights of other groups.
    ['lam(dgl)', 4, 1],
    ['mlaan(dgl)', 2, 1],
  ])(
    'trains every weight of %s for %i workers in %i micro-batches, and leaks nothing',
    (method, workers, accumulate) => {
      const { groups, seconds, leaked, rates, missing } = timed({ method }, workers, accumulate);
      expect(seconds).toHaveLength(groups.length);
      expect(seconds.every((one) => one > 0 && one < 60)).toBe(true);
      expect({ leaked, rates, missing }).toEqual({ leaked: 0, rates: [0], missing: [] });
    },
  );

  it.each([1, 2])('waits for gradients that are %i steps late, and leaks nothing', (steps) => {
    const { seconds, leaked, missing } = timed({ method: 'backprop', gradientDelay: { steps } }, 2);
    expect(seconds.every((one) => one > 0)).toBe(true);
    // The first module is trained by gradients that have crossed all cuts only.
    expect({ leaked, missing }).toEqual({ leaked: 0, missing: [] });
  });

  it('keeps groups together that share weights', () => {
    const method = 'lam(dgl, share: stage, emaBlocks: none)';
    const { groups, missing } = timed({ method, backbone: 'resnet14(width: 4)', modules: 7 }, 2);
    expect(groups.length).toBeLessThan(7);
    expect(missing).toEqual([]);
  });

  it('takes the phase in which a group takes longest: every module is trained in one of them', () => {
    const { seconds, missing } = timed({ method: 'sequential(dgl)' }, 4);
    expect(seconds.every((one) => one > 0)).toBe(true);
    expect(missing).toEqual([]);
  });

  it('returns the least time of several steps, and the only one if it takes longer than the limit', () => {
    const { compiled, optimizer } = build({ method: 'dgl' });
    const images = tf.zeros<tf.Rank.R4>([samples, ...imageShape]);
    const batch = { images, targets: { labels: tf.zeros<tf.Rank.R1>([samples], 'int32') } };
    const groups = groupsToDivide(compiled, 4);
    let [now, updates, milliseconds] = [0, 0, 0];
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
    vi.spyOn(optimizer, 'update').mockImplementation((gradients) => {
      for (const { gradient } of gradients) gradient.dispose();
      updates++;
      now += milliseconds / updates;
    });
    const time = () => {
      updates = 0;
      return timeGroups({ compiled, optimizer, groups, batch, accumulate: 1, limits: { steps: 20, seconds: 9 } });
    };
    milliseconds = 1000;
    const [least = Number.NaN] = time();
    const updatesPerGroup = updates / (21 * groups.length);
    expect(least).toBeLessThan(updatesPerGroup / (20 * groups.length));
    milliseconds = 1e6;
    expect(at(time(), 0, 'group')).toBeGreaterThanOrEqual(1000);
    expect(updates).toBe(updatesPerGroup * groups.length);
    clock.mockRestore();
    tf.dispose([images, batch.targets.labels]);
  });
});
