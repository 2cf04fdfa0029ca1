import { type Block, clockAt, type HeadFactory, type Mode, type Objective, type Weight } from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { compilePlan } from './compile.js';
import { createExecutor } from './executor.js';
import { buildNetwork, type Layer } from './plain-network.fixture.js';
import type { MemoryPolicy } from './schedule.js';
import type { StepOptions } from './step.js';
import { plainModules, randomBatch } from './train-step.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Loss: the sum of the features times one weight, which starts at 1. */
function sumHead(onEvaluate: (mode: Mode, call: number) => void = () => {}): HeadFactory {
  return {
    name: 'sum',
    build: ({ inputShape }, scope) => {
      const factor = scope.parameter('factor', [1], () => Float32Array.of(1));
      let calls = 0;
      return {
        name: 'sum',
        inputShape,
        parameters: [factor],
        statistics: [],
        evaluate: (h, _targets, { mode, weight, input }) => {
          onEvaluate(mode, calls++);
          return {
            loss: tf.tidy(() => tf.sum(h).asScalar()),
            terms: new Map([['half', tf.tidy(() => tf.div(tf.sum(h), 2).asScalar())]]),
            parameters: new Map([[factor, tf.tidy(() => tf.mul(tf.sum(h), weight).reshape([1]))]]),
            ...(input ? { input: tf.fill(h.shape, weight) as tf.Tensor4D } : {}),
          };
        },
      };
    },
  };
}

interface Loss {
  readonly id: string;
  readonly span: readonly [number, number];
  readonly weight?: Weight;
  readonly key?: string;
}

/** Runs one step on three equal modules and returns its losses, terms and gradients by name. */
function step(
  losses: readonly Loss[],
  { frozen = [], ...options }: Partial<StepOptions> & { frozen?: readonly number[] } = {},
  factory: HeadFactory = sumHead(),
) {
  const scope = createScope(2);
  const objectives = losses.map(
    ({ id, span, weight = 1, key = id }): Objective => ({
      id,
      role: 'independent',
      span,
      weight,
      head: { key, factory },
    }),
  );
  const phases = { phases: [{ name: 'only', frozen }], phaseAt: () => 'only' };
  const compiled = compilePlan(plainModules(scope), { method: 'test', hooks: [], objectives, phases }, { scope });
  const gradients = new Map<string, number[]>();
  const groups: number[] = [];
  const result = createExecutor(compiled).step(randomBatch(1), {
    ...options,
    onGradients: (group) => {
      groups.push(group.length);
      for (const { parameter, gradient } of group) gradients.set(parameter.name, [...gradient.dataSync()]);
    },
  });
  const numbers = (tensors: ReadonlyMap<string, tf.Scalar>) =>
    Object.fromEntries([...tensors].map(([name, tensor]) => [name, tensor.dataSync()[0] ?? Number.NaN]));
  const of = (module: number) => gradients.get(`b${module}.weight`) ?? expect.fail(`no gradient of module ${module}`);
  return { losses: numbers(result.losses), terms: numbers(result.terms), gradients, groups, of };
}

function expectScaled(actual: readonly number[], factor: number, unit: readonly number[]): void {
  expect(Math.max(...unit.map(Math.abs))).toBeGreaterThan(0.1);
  actual.forEach((value, index) => {
    expect(value).toBeCloseTo(factor * (unit[index] ?? Number.NaN), 3);
  });
}

describe('a head that several losses share', () => {
  const shared = (near: Weight, far: Weight): Loss[] => [
    { id: 'near', key: 'head', span: [1, 1], weight: near },
    { id: 'far', key: 'head', span: [0, 1], weight: far },
  ];
  const unit = step([{ id: 'far', key: 'head', span: [0, 1] }]);
  const ramp: Weight = ({ fraction }) => fraction;

  it('sends to each span the gradient of its own loss', () => {
    const { of, gradients } = step(shared(0.25, 0.5));
    expectScaled(of(0), 0.5, unit.of(0));
    expectScaled(of(1), 0.75, unit.of(1));
    expectScaled(gradients.get('heads.head.factor') ?? [], 0.75, unit.gradients.get('heads.head.factor') ?? []);
  });

  it('multiplies all gradients by the scale of the micro-batch, but not the losses', () => {
    const { of, losses } = step(shared(0.25, 0.5), { scale: 0.5 });
    expectScaled(of(0), 0.25, unit.of(0));
    expect(losses).toEqual({ near: unit.losses.far, far: unit.losses.far });
  });

  it('sends nothing for a loss whose scheduled weight is 0', () => {
    const some = step(shared(1, ramp), { clock: clockAt(0, 1, 4) });
    expectScaled(some.of(0), 0, unit.of(0));
    expectScaled(some.of(1), 1, unit.of(1));
    const none = step(shared(ramp, ramp), { clock: clockAt(0, 1, 4) });
    expectScaled(none.of(0), 0, unit.of(0));
    expectScaled(none.of(1), 0, unit.of(1));
  });

  it('sends nothing for a loss whose modules are all frozen', () => {
    const { of, gradients, losses } = step(shared(0.25, 0.5), { frozen: [1] });
    expectScaled(of(0), 0.5, unit.of(0));
    expect(gradients.has('b1.weight')).toBe(false);
    expect(Object.keys(losses)).toEqual(['near', 'far']);
  });

  it('reports the terms of each loss', () => {
    const { losses, terms } = step(shared(0.25, 0.5));
    expect(Object.keys(terms)).toEqual(['near/half', 'far/half']);
    expect(terms['far/half']).toBeCloseTo((losses.far ?? Number.NaN) / 2, 3);
  });
});

/** Two losses per module: of the module alone, and of a window of two. */
const windowsOf = (modules: number) =>
  Array.from({ length: modules }, (_, to): Loss[] => [
    { id: `module${to}`, span: [to, to] },
    { id: `module${to}.window`, span: [Math.max(0, to - 1), to] },
  ]).flat();

const equalLayers = (count: number) =>
  Array.from({ length: count }, (): Layer => ({ kind: 'plain', channels: 2, stride: 1 }));

describe('a step', () => {
  it('passes on gradients in groups, never an empty one', () => {
    const { groups, gradients } = step(windowsOf(3));
    // A weight per head; weight and bias per module.
    expect(groups.toSorted()).toEqual([1, 1, 1, 1, 1, 1, 2, 2, 2]);
    expect(gradients.size).toBe(12);
  });

  it('passes the noise key of the step to heads, if it has one', () => {
    const modes: Mode[] = [];
    const factory = sumHead((mode) => modes.push(mode));
    step([{ id: 'a', span: [0, 0] }], {}, factory);
    step([{ id: 'a', span: [0, 0] }], { noise: { seed: 1, step: 2, part: 0 } }, factory);
    expect(modes).toStrictEqual([
      { training: true, statisticsUpdates: 1 },
      { training: true, statisticsUpdates: 1, noise: { seed: 1, step: 2, part: 0 } },
    ]);
  });

  it.each(['residuals', 'recompute'] as const)('disposes all values as early as possible (%s)', (memory) => {
    const live: number[] = [];
    const count = () => tf.memory().numTensors;
    const factory = sumHead(() => live.push(count()));
    const scope = createScope(2);
    const objectives = windowsOf(4).map(
      ({ id, span }): Objective => ({ id, role: 'independent', span, weight: 1, head: { key: id, factory } }),
    );
    const network = buildNetwork(equalLayers(4), [1, 1, 1, 1], scope);
    const compiled = compilePlan(network, { method: 'test', hooks: [], objectives }, { scope, memory });
    const batch = randomBatch(1);
    // Measurements of costs, while compiling.
    live.length = 0;
    createExecutor(compiled).step(batch, {
      onGradients: (group) => tf.dispose(group.map(({ gradient }) => gradient)),
    });
    // Each head before has left a copy of its loss and one of its term; else the last module needs what the one before needs.
    const stored = live.map((tensors, index) => tensors - 2 * index);
    expect(stored.slice(6)).toEqual(stored.slice(4, 6));
  });

  it('checks only the first result of each head', () => {
    const scope = createScope(2);
    const leaked: tf.Tensor[] = [];
    const factory = sumHead((_, call) => {
      if (call > 0) leaked.push(tf.keep(tf.scalar(1)));
    });
    const head = { key: 'a', factory };
    const objectives: Objective[] = [{ id: 'a', role: 'independent', span: [0, 0], weight: 1, head }];
    const compiled = compilePlan(plainModules(scope), { method: 'test', hooks: [], objectives }, { scope });
    const executor = createExecutor(compiled);
    const run = () => executor.step(randomBatch(1), { onGradients: () => {} });
    run();
    expect(run).not.toThrow();
    expect(leaked).toHaveLength(1);
    expect(() => createExecutor(compiled).step(randomBatch(1), { onGradients: () => {} })).toThrow(/leak/i);
  });

  it('updates averages of the weights before the step, unless another micro-batch follows', () => {
    for (const movesAverages of [true, false]) {
      const scope = createScope(2);
      const factory: HeadFactory = {
        name: 'averaging',
        build: (context, place) => {
          const average = place.parameter('average', [4], () => new Float32Array(4).fill(9), 'frozen');
          const head = sumHead().build(context, place);
          const averages = [{ average, live: 'b2.bias', momentum: 0, when: 'beforeUpdate' as const }];
          return { ...head, parameters: [...head.parameters, average], averages };
        },
      };
      const head = { key: 'a', factory };
      const objectives: Objective[] = [{ id: 'a', role: 'independent', span: [0, 0], weight: 1, head }];
      const compiled = compilePlan(plainModules(scope), { method: 'test', hooks: [], objectives }, { scope });
      createExecutor(compiled).step(randomBatch(1), { movesAverages, onGradients: () => {} });
      const value = (name: string) => [...(compiled.parameters.get(name)?.value.dataSync() ?? [])];
      expect(value('heads.a.average')).toEqual(movesAverages ? value('b2.bias') : [9, 9, 9, 9]);
    }
  });
});

describe('a module that is recomputed', () => {
  interface Call {
    readonly place: string;
    readonly mode: Mode;
    readonly live: number;
  }
  function forwardsOf(memory: MemoryPolicy, options: Partial<StepOptions> = {}): Call[] {
    const scope = createScope(2);
    const calls: Call[] = [];
    let start = 0;
    const observed = (block: Block, place: string): Block => ({
      name: block.name,
      inputShape: block.inputShape,
      outputShape: block.outputShape,
      parameters: block.parameters,
      statistics: block.statistics,
      forward: (x, mode) => {
        calls.push({ place, mode, live: tf.memory().numTensors - start });
        return block.forward(x, mode);
      },
      vjp: (pass, cotangent, want) => block.vjp(pass, cotangent, want),
      replicate: (to) => observed(block.replicate(to), place),
    });
    const head = { key: 'a', factory: sumHead() };
    const objectives: Objective[] = [{ id: 'a', role: 'independent', span: [0, 1], weight: 1, head }];
    const rewriteBlock = (block: Block, { module, index }: { module: number; index: number }) =>
      observed(block, `${module}.${index}`);
    const network = buildNetwork(equalLayers(4), [2, 2], scope);
    const compiled = compilePlan(network, { method: 'test', hooks: [], objectives, rewriteBlock }, { scope, memory });
    const batch = randomBatch(1);
    calls.length = 0;
    start = tf.memory().numTensors;
    createExecutor(compiled).step(batch, { onGradients: () => {}, ...options });
    return calls;
  }

  it('runs each forward pass twice, and updates running statistics in the first', () => {
    const places = (memory: MemoryPolicy) =>
      forwardsOf(memory).map(({ place, mode }) => `${place}: ${mode.statisticsUpdates}`);
    expect(places('residuals')).toEqual(['0.0: 1', '0.1: 1', '1.0: 1', '1.1: 1']);
    expect(places('recompute')).toEqual(['0.0: 1', '0.1: 1', '1.0: 1', '1.1: 1', '0.0: 0', '0.1: 0']);
  });

  it('stores only the outputs of modules until then', () => {
    const [first, second, third] = forwardsOf('recompute').map(({ live }) => live);
    // Updated running statistics replace the old ones: the count is of values between blocks.
    expect([first, second, third]).toEqual([0, 1, 1]);
  });

  it('uses the same noise key both times', () => {
    const noise = { seed: 1, step: 2, part: 0 };
    for (const { mode } of forwardsOf('recompute', { noise })) expect(mode.noise).toEqual(noise);
    for (const { mode } of forwardsOf('recompute')) expect(Object.keys(mode)).not.toContain('noise');
  });
});
