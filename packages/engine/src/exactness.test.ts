import type { Objective, Span, TrainingPlan } from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { compilePlan } from './compile.js';
import { createExecutor } from './executor.js';
import {
  batchSize,
  buildNetwork,
  classes,
  headFactory,
  imageShape,
  type Layer,
  referenceGradients,
  relativeError,
} from './plain-network.fixture.js';
import type { MemoryPolicy } from './schedule.js';

/** Computes both gradients and returns the largest relative error. */
function worstError(
  layers: readonly Layer[],
  sizes: readonly number[],
  plan: TrainingPlan,
  memory: MemoryPolicy,
  seed: number,
): number {
  const scope = createScope(seed);
  const network = buildNetwork(layers, sizes, scope);
  const compiled = compilePlan(network, plan, { scope, memory });
  const [{ frozen }] = compiled.phases;
  const frozenStatistics = network.modules
    .filter(({ index }) => frozen.has(index))
    .flatMap(({ blocks }) => blocks.flatMap(({ statistics }) => statistics));
  const readStatistics = () => frozenStatistics.map(({ value }) => [...value.dataSync()]);
  const statisticsBefore = readStatistics();
  const images = tf.randomNormal([batchSize, ...imageShape], 0, 1, 'float32', seed) as tf.Tensor4D;
  const labels = tf.tensor1d(
    Array.from({ length: batchSize }, (_, n) => (n + seed) % classes),
    'int32',
  );
  const before = tf.memory().numTensors;
  const gradients = new Map<string, tf.Tensor>();
  const result = createExecutor(compiled).step(
    { images, targets: { labels } },
    {
      onGradients: (group) => {
        for (const { parameter, gradient } of group) gradients.set(parameter.name, gradient);
      },
    },
  );
  expect(tf.memory().numTensors - before).toBe(gradients.size + result.losses.size);
  expect(readStatistics()).toEqual(statisticsBefore);
  const worst = tf.tidy(() => {
    const expected = referenceGradients(
      layers,
      sizes,
      compiled.objectives,
      compiled.parameters,
      images,
      labels,
      frozen,
    );
    expect([...gradients.keys()].sort()).toEqual([...expected.gradients.keys()].sort());
    const scale = Math.max(
      ...[...expected.gradients.values()].map((gradient) => tf.max(tf.abs(gradient)).dataSync()[0] as number),
    );
    for (const [id, loss] of result.losses) {
      expect(loss.dataSync()[0]).toBeCloseTo(expected.losses.get(id) as number, 4);
    }
    return Math.max(
      ...[...gradients].map(([name, gradient]) =>
        // The error of a tensor whose true gradient is nearly 0 is relative to the largest gradient.
        relativeError(gradient, expected.gradients.get(name) as tf.Tensor, scale * 1e-2),
      ),
    );
  });
  for (const tensor of [...gradients.values(), ...result.losses.values(), images, labels]) tensor.dispose();
  for (const parameter of scope.all().values()) parameter.dispose();
  return worst;
}

const layer = fc.record<Layer>({
  kind: fc.constantFrom('plain', 'residual'),
  channels: fc.integer({ min: 2, max: 4 }),
  stride: fc.constantFrom(1, 1, 2),
});

const configuration = fc.array(layer, { minLength: 1, maxLength: 5 }).chain((layers) =>
  fc.record({
    layers: fc.constant(layers),
    cuts: fc.subarray(Array.from({ length: layers.length - 1 }, (_, index) => index + 1)),
    picks: fc.array(fc.tuple(fc.nat(), fc.nat(), fc.constantFrom(0.25, 0.5, 1, 2), fc.boolean()), {
      minLength: 1,
      maxLength: 5,
    }),
    frozen: fc.array(fc.nat(layers.length - 1)),
    memory: fc.constantFrom<MemoryPolicy>('residuals', 'recompute', { recompute: [0] }),
    seed: fc.integer({ min: 1, max: 1000 }),
  }),
);

function sizesFrom(layers: number, cuts: readonly number[]): number[] {
  const ends = [...cuts, layers];
  return ends.map((end, index) => end - (ends[index - 1] ?? 0));
}

describe('the executor', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
  });

  it('computes the gradients of the same losses with stop-gradients, for random backbones, partitions and spans', () => {
    fc.assert(
      fc.property(configuration, ({ layers, cuts, picks, memory, seed }) => {
        const sizes = sizesFrom(layers.length, cuts);
        const objectives = picks.map(([a, b, weight, isShared], index): Objective => {
          const [x, y] = [a % sizes.length, b % sizes.length];
          const span: Span = [Math.min(x, y), Math.max(x, y)];
          const head = { key: isShared ? `shared${span[1]}` : `own${index}`, factory: headFactory };
          return { id: `o${index}`, role: 'independent', span, weight, head };
        });
        expect(
          worstError(layers, sizes, { method: 'random', objectives, hooks: [] }, memory, seed),
        ).toBeLessThanOrEqual(1e-4);
      }),
      { numRuns: 30, seed: 7 },
    );
  });

  it('treats frozen modules as constants, and does not update their statistics', () => {
    fc.assert(
      fc.property(configuration, ({ layers, cuts, picks, memory, seed, frozen }) => {
        const sizes = sizesFrom(layers.length, cuts);
        const objectives = picks.map(([a, b, weight], index): Objective => {
          const [x, y] = [a % sizes.length, b % sizes.length];
          const span: Span = [Math.min(x, y), Math.max(x, y)];
          return {
            id: `o${index}`,
            role: 'independent',
            span,
            weight,
            head: { key: `own${index}`, factory: headFactory },
          };
        });
        const phase = { name: 'some', frozen: frozen.map((module) => module % sizes.length) };
        const phases = { phases: [phase], phaseAt: () => phase.name };
        const plan = { method: 'random', objectives, hooks: [], phases };
        expect(worstError(layers, sizes, plan, memory, seed)).toBeLessThanOrEqual(1e-4);
      }),
      { numRuns: 30, seed: 8 },
    );
  });

  const layers: Layer[] = [
    { kind: 'plain', channels: 3, stride: 1 },
    { kind: 'residual', channels: 3, stride: 1 },
    { kind: 'residual', channels: 4, stride: 2 },
    { kind: 'residual', channels: 4, stride: 1 },
  ];
  const final = (span: Span): TrainingPlan => ({
    method: 'final',
    objectives: [{ id: 'final', role: 'final', span, weight: 1, head: { key: 'classifier' } }],
    hooks: [],
  });

  it.each([
    ['K = 1', [4], [0, 0]],
    ['K = 4, one span over all modules', [1, 1, 1, 1], [0, 3]],
    ['K = 2, one span over all modules', [2, 2], [0, 1]],
  ] as const)('equals end-to-end backpropagation for %s', (_, sizes, span) => {
    for (const memory of ['residuals', 'recompute'] as const) {
      expect(worstError(layers, sizes, final(span), memory, 3)).toBeLessThanOrEqual(1e-4);
    }
  });

  it('reports wrong shapes and missing targets of a batch', () => {
    const scope = createScope(1);
    const compiled = compilePlan(buildNetwork(layers, [4], scope), final([0, 0]), { scope });
    const images = tf.zeros([2, 5, 5, 2]) as tf.Tensor4D;
    const labels = tf.tensor1d([0, 1], 'int32');
    const step = () => createExecutor(compiled).step({ images, targets: { labels } }, { onGradients: () => {} });
    expect(step).toThrow(/shape \[2, 6, 6, 2\].*has \[2, 5, 5, 2\]/);
  });
});
