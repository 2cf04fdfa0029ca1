import { cifarResNet } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { backprop } from '@localgrad/backprop';
import {
  createNetwork,
  type HeadFactory,
  type LocalLearningMethod,
  type Objective,
  type Optimizer,
  resolvePartition,
} from '@localgrad/core';
import { createBatches, fashionMnistSubset, type ImageDataset, resizeTo, take } from '@localgrad/data';
import { dgl } from '@localgrad/dgl';
import { compilePlan } from '@localgrad/engine';
import { greedy } from '@localgrad/greedy';
import { infopro } from '@localgrad/infopro';
import { lam } from '@localgrad/lam';
import { mlaan } from '@localgrad/mlaan';
import { mlm } from '@localgrad/mlm';
import { adam, adamw, sgd } from '@localgrad/nn/optimizers';
import { createRandom, createScope } from '@localgrad/nn/random';
import { cosine } from '@localgrad/nn/schedules';
import { readSafetensors, writeSafetensors } from '@localgrad/nn/serialization';
import { captureTensors, type TrainingCheckpoint, type TrainingEvent, train } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

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

let backend: BackendHandle;
let training: ImageDataset;
let testing: ImageDataset;

beforeAll(async () => {
  backend = await selectBackend(process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm', { threads: 2 });
  const splits = await fashionMnistSubset();
  training = resizeTo(take(splits.train, 40), 8);
  testing = resizeTo(take(splits.test, 20), 8);
});
afterAll(() => backend.dispose());

const epochs = 2;
const batchesPerEpoch = 4;

/** Stops after the given steps with a checkpoint, like a signal does, and passes it as bytes to the next attempt. */
async function run(
  method: LocalLearningMethod,
  interruptions: readonly number[],
  createOptimizer: () => Optimizer = () => sgd({ learningRate: 0.1 }),
) {
  let checkpoint: TrainingCheckpoint | undefined;
  const metrics: unknown[] = [];
  const peaks = new Map<number, number>();
  for (const stopAt of [...interruptions, undefined]) {
    const scope = createScope(5);
    const backbone = cifarResNet({ depth: 14, widths: [4, 4, 8, 8] }).build({
      inputShape: training.imageShape,
      classes: 10,
      scope,
    });
    const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 4 }));
    const compiled = compilePlan(network, method.plan(network), { scope });
    const optimizer = createOptimizer();
    const batches = createBatches(training, {
      batchSize: 12,
      shuffle: true,
      seed: 3,
      augmentation: { pad: 1, flip: true },
      withImages: compiled.reads.includes('images'),
    });
    const stop = new AbortController();
    const reason = new Error('stopped by the test');
    let saved: TrainingCheckpoint | undefined;
    const observe = (event: TrainingEvent) => {
      if (event.type === 'step-end' && event.step === stopAt) stop.abort(reason);
      const { seconds, totalSeconds, imagesPerSecond, peakBytes, ...rest } = event as unknown as Record<
        string,
        unknown
      >;
      if (event.type !== 'run-start' && event.type !== 'run-end') metrics.push(rest);
      if (event.type === 'epoch-end') peaks.set(event.epoch, event.peakBytes);
    };
    try {
      const { resumptions } = await train({
        compiled,
        optimizer,
        learningRate: cosine({ learningRate: 0.1 }),
        batches,
        testBatches: createBatches(testing, { batchSize: 10, normalization: batches.normalization }),
        epochs,
        seed: 21,
        logEvery: 3,
        observers: [{ observe }],
        signal: stop.signal,
        checkpoints: {
          // Only due at the end: earlier checkpoints are saved because of the signal.
          everyEpochs: 1 + epochs,
          save(checkpoint) {
            const { tensors } = readSafetensors(writeSafetensors({ tensors: checkpoint.tensors, metadata: {} }));
            saved = { progress: JSON.parse(JSON.stringify(checkpoint.progress)), tensors };
          },
        },
        ...(checkpoint === undefined ? {} : { resume: checkpoint }),
      });
      const tensors = await captureTensors(compiled, optimizer);
      return { tensors, metrics, peaks, resumptions };
    } catch (error) {
      if (error !== reason) throw error;
      // No event follows the checkpoint, even after the last step of an epoch, so no metrics have to be removed.
      expect(saved?.progress.step).toBe(stopAt);
      checkpoint = saved;
    } finally {
      optimizer.dispose();
      for (const parameter of scope.all().values()) parameter.dispose();
    }
  }
  throw new Error('unreachable');
}

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
      expect([...resumed.tensors.keys()]).toEqual([...straight.tensors.keys()]);
      for (const [key, { data }] of straight.tensors) {
        expect(Buffer.compare(bytesOf(resumed.tensors.get(key)?.data), bytesOf(data)), key).toBe(0);
      }
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
    expect([...resumed.tensors.keys()]).toEqual([...straight.tensors.keys()]);
    expect([...straight.tensors.keys()].filter((key) => key.startsWith('optimizer/updates/')).length).toBeGreaterThan(
      9,
    );
    for (const [key, { data }] of straight.tensors) {
      expect(Buffer.compare(bytesOf(resumed.tensors.get(key)?.data), bytesOf(data)), key).toBe(0);
    }
    expect(resumed.metrics).toEqual(straight.metrics);
  });

  it('resumes and completes when interrupted at its last step', async () => {
    const straight = await run(dgl(), []);
    const resumed = await run(dgl(), [epochs * batchesPerEpoch]);
    expect(resumed.metrics).toEqual(straight.metrics);
    for (const [key, { data }] of straight.tensors) {
      expect(Buffer.compare(bytesOf(resumed.tensors.get(key)?.data), bytesOf(data)), key).toBe(0);
    }
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

function bytesOf(data: ArrayBufferView | undefined): Buffer {
  return data === undefined ? Buffer.alloc(0) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
