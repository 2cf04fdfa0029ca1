import { cifarResNet } from '@localgrad/backbones';
import { backprop } from '@localgrad/backprop';
import {
  createNetwork,
  type HeadFactory,
  type LocalLearningMethod,
  type Objective,
  type Optimizer,
  resolvePartition,
} from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan } from '@localgrad/engine';
import { greedy } from '@localgrad/greedy';
import { infopro } from '@localgrad/infopro';
import { lam } from '@localgrad/lam';
import { mlaan } from '@localgrad/mlaan';
import { mlm } from '@localgrad/mlm';
import { adam, adamw, sgd } from '@localgrad/nn/optimizers';
import { createRandom, createScope } from '@localgrad/nn/random';
import { captureTensors } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  batchesPerEpoch,
  epochs,
  expectSameBits,
  type InterruptionSetting,
  interruptionSetting,
  runInterrupted,
} from './interrupted-run.fixture.js';

const hosts: readonly (() => LocalLearningMethod)[] = [greedy, dgl, infopro];
const decorators: readonly ((method: LocalLearningMethod) => LocalLearningMethod)[] = [
  (method) => method,
  (method) => mlm(method),
  (method) => mlm(method, { window: 3 }),
  (method) => lam(method),
  (method) => mlm(lam(method)),
  (method) => mlaan(method),
];
/** All pairs with `npm run test:all`; otherwise each decorator around one host, and each host in two decorators. */
const isTested = (host: number, decorator: number) =>
  process.env.LOCALGRAD_TESTS === 'all' || decorator % hosts.length === host;
const methods = [
  backprop(),
  stateful(dgl()),
  ...hosts.flatMap((host, row) =>
    decorators.flatMap((decorate, column) => (isTested(row, column) ? [decorate(host())] : [])),
  ),
];

/**
 * Uses every kind of persistent state: values and tensors of the plan, state of a head, phases that depend on them, and
 * noise on the features that a head reads.
 */
function stateful(of: LocalLearningMethod): LocalLearningMethod {
  return {
    specVersion: 'v1',
    name: `stateful(${of.name})`,
    config: { decorator: 'stateful', of: of.config },
    plan: (network) => {
      const plan = of.plan(network);
      return {
        ...plan,
        method: `stateful(${plan.method})`,
        objectives: plan.objectives.map((objective) => withNoise(objective)),
        state: [
          { name: 'frozen', initial: -1 },
          { name: 'history', shape: [2], initializer: () => new Float32Array(2) },
        ],
        hooks: [
          {
            name: 'freeze',
            afterStep: ({ clock, parameters, state }) => {
              state.set('frozen', ((clock.step * 5) % 4) - 1);
              const history = state.tensor('history');
              const bias = parameters.get('fc.bias');
              if (bias === undefined) throw new Error('no bias');
              const norms = tf.stack([tf.sum(tf.square(bias.value)), tf.scalar(clock.fraction)]);
              history.assign(tf.add(tf.mul(history.value, 0.5), norms));
            },
          },
        ],
        phases: {
          phases: [-1, 0, 1, 2].map((module) => ({ name: String(module), frozen: module < 0 ? [] : [module] })),
          phaseAt: (_clock, state) => String(state.get('frozen')),
        },
      };
    },
  };
}

/** Adds noise to the features that the head reads, with an amplitude stored as the head's state. */
function withNoise(objective: Objective): Objective {
  const { key, factory } = objective.head;
  if (factory === undefined) return objective;
  const noisy: HeadFactory = {
    name: `noisy+${factory.name}`,
    build: (context, scope) => {
      const head = factory.build(context, scope);
      const amount = scope.parameter('amount', [1], () => new Float32Array([0.1]), 'state');
      return {
        ...head,
        state: [amount],
        evaluate: (h, targets, request) => {
          const { seed, step, part } = request.mode.noise ?? { seed: 0, step: 0, part: 0 };
          const random = createRandom(seed, `${key} ${step} ${part}`);
          const noise = Float32Array.from({ length: h.size }, () => random.normal());
          const noised = tf.tidy(() => tf.add<tf.Tensor4D>(h, tf.mul(tf.tensor4d(noise, h.shape), amount.value)));
          const result = head.evaluate(noised, targets, request);
          noised.dispose();
          amount.assign(tf.tidy(() => tf.mul(amount.value, 0.9)));
          return result;
        },
      };
    },
  };
  return { ...objective, head: { key, factory: noisy } };
}

let setting: InterruptionSetting;

beforeAll(async () => {
  setting = await interruptionSetting();
});
afterAll(() => setting.backend.dispose());

const run = (method: LocalLearningMethod, interruptions: readonly number[], createOptimizer?: () => Optimizer) =>
  runInterrupted(setting, { method, interruptions, ...(createOptimizer === undefined ? {} : { createOptimizer }) });

describe('an interrupted run', () => {
  it.each(methods.map((method) => [method.name, method] as const))(
    'is bit-identical to an uninterrupted run: %s',
    async (name, method) => {
      const straight = await run(method, []);
      const random = createRandom(11, `${name}${JSON.stringify(method.config)}`);
      // Interrupted in the middle of the first epoch, at its end, and in the middle of the second.
      const interruptions = [1 + random.integer(3), batchesPerEpoch, batchesPerEpoch + 1 + random.integer(3)];
      const resumed = await run(method, interruptions);
      expect(resumed.resumptions).toBe(interruptions.length);
      expectSameBits(resumed.tensors, straight.tensors);
      expect(resumed.metrics).toEqual(straight.metrics);
      // Losses that a checkpoint has read back are no longer on the device: four bytes each.
      for (const [epoch, peak] of straight.peaks) {
        expect(Math.abs((resumed.peaks.get(epoch) ?? 0) - peak), `peak of epoch ${epoch}`).toBeLessThan(400);
      }
      expect(straight.tensors.size).toBeGreaterThan(50);
    },
  );

  it.each([
    ['adam', () => adam({ learningRate: 0.01 })],
    ['adamw', () => adamw({ learningRate: 0.01 })],
  ] as const)('is bit-identical to an uninterrupted run with optimizer %s', async (_, createOptimizer) => {
    const straight = await run(dgl(), [], createOptimizer);
    const resumed = await run(dgl(), [2, batchesPerEpoch + 1], createOptimizer);
    expectSameBits(resumed.tensors, straight.tensors);
    expect([...straight.tensors.keys()].filter((key) => key.startsWith('optimizer/updates/')).length).toBeGreaterThan(
      9,
    );
    expect(resumed.metrics).toEqual(straight.metrics);
  });

  it('resumes and completes when interrupted at its last step', async () => {
    const straight = await run(dgl(), []);
    const resumed = await run(dgl(), [epochs * batchesPerEpoch]);
    expect(resumed.metrics).toEqual(straight.metrics);
    expectSameBits(resumed.tensors, straight.tensors);
  });

  it('is rejected if the checkpoint belongs to another method', async () => {
    const scope = createScope(1);
    const build = (method: LocalLearningMethod) => {
      const own = createScope(1);
      const backbone = cifarResNet({ depth: 8, width: 4 }).build({ inputShape: [8, 8, 1], classes: 10, scope: own });
      const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 2 }));
      return compilePlan(network, method.plan(network), { scope: own });
    };
    const optimizer = sgd({ learningRate: 0.1 });
    const tensors = await captureTensors(build(dgl()), optimizer);
    const { restoreTensors } = await import('@localgrad/train');
    expect(() => restoreTensors(build(backprop()), optimizer, tensors)).toThrow(
      /another network, method or optimizer: '.*' does not exist in this run/,
    );
    expect(() => restoreTensors(build(mlm(dgl())), optimizer, tensors)).toThrow(/is missing/);
    expect(scope.all().size).toBe(0);
  });
});
