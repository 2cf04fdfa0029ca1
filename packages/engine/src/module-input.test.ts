import {
  type HeadFactory,
  type Network,
  type Objective,
  type Span,
  startOfTraining,
  type Targets,
} from '@localgrad/core';
import { MemoryMeter } from '@localgrad/kernels';
import { createScope } from '@localgrad/nn/random';
import { tapeHead } from '@localgrad/nn/tape';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { compilePlan } from './compile.js';
import { forwardBlocks } from './evaluation.js';
import { createExecutor } from './executor.js';
import { createLiteralExecutor } from './literal.js';
import type { MemoryPolicy } from './schedule.js';
import { plainModules, randomBatch } from './train-step.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Loss: mean of the output times the mean of the module's input. @param onRead called with the input's values */
function productHead(onRead: (values: number[]) => void = () => {}): HeadFactory {
  return {
    name: 'product',
    build: ({ inputShape }) =>
      tapeHead({
        name: 'product',
        inputShape,
        reads: ['moduleInput'],
        fn: (h, { moduleInput }) => {
          onRead([...(moduleInput?.dataSync() ?? [])]);
          return tf.mul<tf.Scalar>(tf.mean(h), tf.mean(moduleInput ?? []));
        },
      }),
  };
}

interface Setting {
  readonly spans: readonly Span[];
  readonly memory?: MemoryPolicy;
  readonly literal?: boolean;
  readonly frozen?: readonly number[];
  readonly factory?: HeadFactory;
}

function compile({ spans, memory = 'residuals', frozen = [], factory = productHead() }: Setting) {
  const scope = createScope(2);
  const objectives = spans.map((span, index): Objective => {
    const id = `o${index}`;
    return { id, role: 'independent', span, weight: 1, head: { key: id, factory } };
  });
  const phases = { phases: [{ name: 'only', frozen }], phaseAt: () => 'only' };
  const network = plainModules(scope);
  return {
    network,
    compiled: compilePlan(network, { method: 'test', hooks: [], objectives, phases }, { scope, memory }),
  };
}

function step(setting: Setting) {
  const { network, compiled } = compile(setting);
  const gradients = new Map<string, number[]>();
  const batch = randomBatch(1);
  const executor = setting.literal === true ? createLiteralExecutor(compiled) : createExecutor(compiled);
  const { losses } = executor.step(batch, {
    onGradients: (group) => {
      for (const { parameter, gradient } of group) gradients.set(parameter.name, [...gradient.dataSync()]);
    },
  });
  const values = [...losses.values()].map((loss) => loss.dataSync()[0] ?? Number.NaN);
  return { network, compiled, images: batch.images, values, gradients };
}

/** Means of the images and of each module's output. */
function meansOf({ modules }: Network, images: tf.Tensor4D): number[] {
  return [0, 1, 2, 3].map((end) => {
    const output = forwardBlocks(
      modules.slice(0, end).flatMap(({ blocks }) => blocks),
      images,
    );
    return tf.mean(output).dataSync()[0] ?? Number.NaN;
  });
}

const settings: readonly (readonly [string, Omit<Setting, 'factory'>])[] = [
  [
    'residuals',
    {
      spans: [
        [0, 0],
        [1, 1],
        [2, 2],
      ],
    },
  ],
  [
    'windows',
    {
      spans: [
        [0, 1],
        [1, 2],
        [2, 2],
      ],
    },
  ],
  [
    'recomputation',
    {
      spans: [
        [0, 0],
        [0, 2],
        [1, 2],
      ],
      memory: 'recompute',
    },
  ],
  [
    'frozen modules',
    {
      spans: [
        [0, 0],
        [1, 1],
        [2, 2],
      ],
      frozen: [0, 1],
    },
  ],
  [
    'the reference procedure',
    {
      spans: [
        [0, 0],
        [0, 1],
        [2, 2],
      ],
      literal: true,
    },
  ],
];

describe('heads that read the input of their module', () => {
  it.each(settings)('receive the output of the module before, or the images: %s', (_, setting) => {
    const { network, images, values } = step(setting);
    const means = meansOf(network, images);
    setting.spans.forEach(([, to], index) => {
      expect(values[index]).toBeCloseTo((means[to] ?? 0) * (means[to + 1] ?? 0), 5);
    });
  });

  it.each(settings)('propagate no gradient to it: %s', (_, setting) => {
    const { network, images, gradients } = step(setting);
    const means = meansOf(network, images);
    // With the input's mean as a constant factor, the gradient is that of the output's mean.
    const constant = (to: number): HeadFactory => ({
      name: 'constant',
      build: ({ inputShape }) =>
        tapeHead({ name: 'c', inputShape, fn: (h) => tf.mul<tf.Scalar>(tf.mean(h), means[to] ?? 0) }),
    });
    const sums = new Map<string, number[]>();
    for (const span of setting.spans) {
      const alone = step({ ...setting, spans: [span], factory: constant(span[1]) });
      for (const [name, values] of alone.gradients) {
        sums.set(
          name,
          values.map((value, index) => value + (sums.get(name)?.[index] ?? 0)),
        );
      }
    }
    expect([...gradients.keys()].sort()).toEqual([...sums.keys()].sort());
    for (const [name, values] of gradients) {
      values.forEach((value, index) => {
        expect(value, name).toBeCloseTo(sums.get(name)?.[index] ?? Number.NaN, 5);
      });
    }
  });

  it('need no target of the batch', () => {
    expect(compile({ spans: [[1, 1]] }).compiled.reads).toEqual([]);
  });

  it.each<MemoryPolicy>(['residuals', 'recompute'])('hold it until they are evaluated, as predicted: %s', (memory) => {
    // So high that the predicted peak is there.
    const evaluateBytes = 1e9;
    // Frozen modules keep no residuals, so only the head holds the input of module 2.
    const peak = (reads: readonly string[]) => {
      const meter = new MemoryMeter();
      let live = 0;
      const factory: HeadFactory = {
        name: 'probe',
        build: ({ inputShape }) => ({
          name: 'probe',
          inputShape,
          parameters: [],
          statistics: [],
          reads,
          cost: { multiplyAccumulates: 0, evaluatePeakBytes: () => evaluateBytes },
          evaluate: (h: tf.Tensor4D, targets: Targets) => {
            expect(targets.moduleInput?.isDisposed ?? false).toBe(false);
            live = meter.liveBytes;
            return { loss: tf.tidy(() => tf.sum(h).asScalar()), parameters: new Map() };
          },
        }),
      };
      const { compiled } = compile({ spans: [[2, 2]], frozen: [0, 1, 2], memory, factory });
      const batch = randomBatch(1);
      const before = meter.liveBytes;
      const { losses } = createExecutor(compiled).step(batch, { clock: startOfTraining, onGradients: () => {} });
      tf.dispose([...losses.values()]);
      meter.detach();
      return { measured: live - before, predicted: compiled.predict(8).stepBytes - evaluateBytes };
    };
    const [without, holding] = [peak(['labels']), peak(['moduleInput', 'labels'])];
    const inputBytes = 4 * 8 * 6 * 6 * 4;
    expect(holding.measured - without.measured).toBe(inputBytes);
    expect([without.predicted, holding.predicted]).toEqual([without.measured, holding.measured]);
  });
});
