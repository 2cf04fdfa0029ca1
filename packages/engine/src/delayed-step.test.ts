import { clockAt, type JsonValue, type Objective, type Span } from '@localgrad/core';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { splitBatch } from './accumulation.js';
import type { GradientDelayOptions } from './gradient-delay.js';
import {
  type Batch,
  compilePlan,
  createExecutor,
  createPartStep,
  createTrainStep,
  type MemoryPolicy,
  partOf,
} from './index.js';
import { buildNetwork, headFactory, referenceGradients, relativeError } from './plain-network.fixture.js';
import { compileFour, fourLayers, randomBatch, recorder } from './train-step.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const sizes = [1, 1, 1, 1];
const learningRate = 0.2;
const noState = { momentum: 0, nesterov: false, weightDecay: 0 };

function objectivesOf(spans: readonly Span[]): Objective[] {
  return spans.map((span, index) => ({
    id: `o${index}`,
    role: 'independent',
    span,
    weight: index % 2 === 0 ? 1 : 0.5,
    head: { key: `own${index}`, factory: headFactory },
  }));
}

function compile(spans: readonly Span[], gradientDelay: GradientDelayOptions, memory: MemoryPolicy = 'residuals') {
  const scope = createScope(5);
  const network = buildNetwork(fourLayers, sizes, scope);
  const plan = { method: 'random', objectives: objectivesOf(spans), hooks: [] };
  return { scope, compiled: compilePlan(network, plan, { scope, memory, gradientDelay }) };
}

const backprop: readonly Span[] = [[0, 3]];
const windows: readonly Span[] = [
  [0, 0],
  [0, 1],
  [1, 2],
  [2, 3],
];

type Tensors = Map<string, tf.Tensor>;

interface SavedState {
  readonly weights: Tensors;
  readonly slots: Tensors;
  readonly kept: Tensors;
  readonly values: JsonValue;
}

/** The values of all tensors of a run. */
function valuesOf(tensors: Iterable<readonly [string, { dataSync(): ArrayLike<number> }]>): string[] {
  return [...tensors].map(([name, tensor]) => `${name} ${[...Array.from(tensor.dataSync())]}`).sort();
}

/**
 * Trains by the definition: the gradient of a loss for a module, across n late cuts, is that of n · delay steps ago, at the
 * weights of then; computed by TensorFlow.js's automatic differentiation of the plain network. Weights are compared after each step.
 */
function worstError(
  spans: readonly Span[],
  { steps: delay, cuts = [], accumulate = 1 }: Required<GradientDelayOptions> & { readonly accumulate?: number },
): number {
  const { scope, compiled } = compile(spans, { steps: delay, cuts });
  const reference = compile(spans, { steps: 0 });
  const objectives = objectivesOf(spans);
  const step = createTrainStep({ compiled, optimizer: sgd({ learningRate, ...noState }), accumulate });
  const past: ReadonlyMap<string, ReadonlyMap<string, tf.Tensor>>[] = [];
  const lateness = (name: string, to: number) => {
    const [, layer] = /^b(\d)/.exec(name) ?? [];
    const module = layer === undefined ? to : Number(layer);
    return delay * cuts.filter((cut) => module < cut && cut <= to).length;
  };
  let worst = 0;
  for (let now = 0; now < 7; now++) {
    // Micro-batches of different sizes, and a last batch of an epoch with fewer of them.
    const batch = randomBatch(now + 1, now === 3 ? 2 : 8);
    const computed = objectives.map((objective) => {
      const parts = splitBatch(batch, accumulate).map((part) =>
        part.with(({ images, targets }) => {
          const labels = targets.labels as tf.Tensor1D;
          const { parameters } = reference.compiled;
          const { gradients } = referenceGradients(fourLayers, sizes, [objective], parameters, images, labels);
          const scale = part.samples / batch.images.shape[0];
          return [...gradients].map(([name, gradient]) => [name, tf.mul(gradient, scale)] as const);
        }),
      );
      const names = parts[0]?.map(([name]) => name) ?? [];
      const sums = names.map(
        (name, index) => [name, tf.addN(parts.flatMap((part) => part[index]?.[1] ?? []))] as const,
      );
      return [objective.id, new Map(sums)] as const;
    });
    past.push(new Map(computed));
    for (const { id, span } of objectives) {
      for (const name of past[now]?.get(id)?.keys() ?? []) {
        const gradient = past[now - lateness(name, span[1])]?.get(id)?.get(name);
        const parameter = reference.compiled.parameters.get(name);
        if (gradient === undefined || parameter === undefined) continue;
        parameter.assign(tf.sub(parameter.value, tf.mul(gradient, learningRate)));
      }
    }
    step.run(batch, clockAt(now, 1, 7));
    for (const [name, parameter] of compiled.parameters) {
      const expected = reference.compiled.parameters.get(name)?.value;
      if (parameter.kind !== 'weight' || expected === undefined) continue;
      worst = Math.max(worst, relativeError(parameter.value, expected, 0.1));
    }
    batch.dispose();
  }
  step.dispose();
  for (const one of [scope, reference.scope]) for (const parameter of one.all().values()) parameter.dispose();
  return worst;
}

describe('delayed gradients', () => {
  it('of end-to-end training are those of decoupled parallel backpropagation (DDG)', () => {
    expect(worstError(backprop, { steps: 1, cuts: [1, 2, 3] })).toBeLessThan(1e-4);
  });

  it('are those of the batch and the weights of then, for random losses, cuts and delays', () => {
    const span = fc.tuple(fc.nat(3), fc.nat(3)).map(([a, b]): Span => [Math.min(a, b), Math.max(a, b)]);
    const setting = fc.record({
      spans: fc.array(span, { minLength: 1, maxLength: 4 }),
      cuts: fc.subarray([1, 2, 3]),
      steps: fc.integer({ min: 1, max: 3 }),
      accumulate: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(setting, ({ spans, cuts, steps, accumulate }) => {
        const crossed = cuts.filter((cut) => spans.some(([from, to]) => from < cut && cut <= to));
        expect(worstError(spans, { steps, cuts: crossed, accumulate })).toBeLessThan(1e-4);
      }),
      { numRuns: 12, seed: 3 },
    );
  });

  it('are 0 steps late by default, with the bits and the schedule of undelayed ones', () => {
    expect(compile(windows, { steps: 0 }).compiled.gradientDelay).toBeUndefined();
    expect(compile([[0, 0]], { steps: 2 }).compiled.gradientDelay).toBeUndefined();
    expect(compile(windows, { steps: 2 }).compiled.gradientDelay).toMatchObject({ steps: 2, cuts: [1, 2, 3] });
  });

  it('are the same with recomputed activations, and leave no tensors behind', () => {
    const trained = (memory: MemoryPolicy) => {
      const { compiled, scope } = compile(windows, { steps: 1 }, memory);
      const optimizer = sgd({ learningRate });
      const step = createTrainStep({ compiled, optimizer });
      const counts: number[] = [];
      for (let now = 0; now < 6; now++) {
        const batch = randomBatch(now);
        const { losses } = step.run(batch, clockAt(now, 1, 6));
        tf.dispose([...losses.values()]);
        batch.dispose();
        counts.push(tf.memory().numTensors);
      }
      expect(counts[5]).toBe(counts[3]);
      const { numTensors } = tf.memory();
      const kept = step.memory?.tensors().size ?? 0;
      expect(kept).toBeGreaterThan(0);
      step.dispose();
      expect(tf.memory().numTensors).toBe(numTensors - kept);
      const values = valuesOf([...compiled.parameters].map(([name, { value }]) => [name, value] as const));
      optimizer.dispose();
      for (const parameter of scope.all().values()) parameter.dispose();
      return values;
    };
    expect(trained('recompute')).toEqual(trained('residuals'));
  });

  it.each([
    ['end to end', backprop, 1, 1],
    ['windows', windows, 2, 1],
    ['windows with micro-batches', windows, 2, 3],
  ] as const)('resume with the same bits from what is kept: %s', (_, spans, steps, accumulate) => {
    const run = (from: number, to: number, state?: SavedState): SavedState => {
      const { compiled } = compile(spans, { steps });
      const optimizer = sgd({ learningRate });
      const step = createTrainStep({ compiled, optimizer, accumulate });
      if (state !== undefined) {
        for (const [name, parameter] of compiled.parameters) parameter.assign(state.weights.get(name) as tf.Tensor);
        optimizer.load(state.slots);
        step.memory?.load(state.values, state.kept);
      }
      for (let now = from; now < to; now++) step.run(randomBatch(now, now === 3 ? 2 : 8), clockAt(now, 1, 9));
      const copies = (tensors: Iterable<readonly [string, tf.Tensor]>) =>
        new Map([...tensors].map(([name, tensor]) => [name, tf.tensor(tensor.dataSync(), tensor.shape)] as const));
      return {
        weights: copies([...compiled.parameters].map(([name, { value }]) => [name, value] as const)),
        slots: copies(optimizer.state()),
        kept: copies(step.memory?.tensors() ?? []),
        values: step.memory?.values() ?? {},
      };
    };
    const bits = ({ weights, slots, kept }: SavedState) => valuesOf([...weights, ...slots, ...kept]);
    const straight = bits(run(0, 9));
    for (const at of [1, 4, 5]) expect(bits(run(at, 9, run(0, at)))).toEqual(straight);
  });

  it.each([
    [1, 1],
    [2, 1],
    [2, 3],
  ])(
    'let a part run %i steps ahead of the part that it gets gradients from, with the same bits: %i micro-batches',
    (steps, accumulate) => {
      const last = 7;
      const weights = ({ compiled }: ReturnType<typeof compile>) =>
        valuesOf([...compiled.parameters].map(([name, { value }]) => [name, value] as const));
      const whole = compile(windows, { steps });
      const step = createTrainStep({ compiled: whole.compiled, optimizer: sgd({ learningRate }), accumulate });
      for (let now = 0; now < last; now++) step.run(randomBatch(now), clockAt(now, 1, last));

      const divided = compile(windows, { steps });
      const sent: tf.Tensor4D[] = [];
      const outputs: Batch[][] = [];
      const receive = (samples: number) => {
        const gradient = sent.shift();
        if (gradient === undefined) throw new Error('waits forever');
        expect(gradient.shape[0]).toBe(samples);
        return gradient;
      };
      const send = (gradient: tf.Tensor4D) => void sent.push(tf.keep(gradient.clone()));
      const lower = createPartStep({
        compiled: partOf(divided.compiled, [0, 1]),
        optimizer: sgd({ learningRate }),
        accumulate,
        onOutput: ({ images, targets: { labels } }) => {
          const copy = {
            images: tf.keep(images.clone()),
            targets: { labels: tf.keep((labels as tf.Tensor1D).clone()) },
          };
          outputs.at(-1)?.push(copy);
        },
        crossings: { send, receive },
      });
      const upper = createPartStep({
        compiled: partOf(divided.compiled, [2, 3]),
        optimizer: sgd({ learningRate }),
        crossings: { send, receive },
      });
      for (let now = 0; now < last + steps; now++) {
        const behind = now - steps;
        const moment = (at: number) => ({ clock: clockAt(at, 1, last), learningRate });
        // The gradients of step `behind` are the only ones that have been sent when the lower part runs step `now`.
        const batch = behind < 0 ? undefined : outputs[behind];
        if (batch !== undefined) upper.run(batch, moment(behind));
        outputs.push([]);
        if (now < last) lower.run(randomBatch(now), moment(now));
      }
      expect(weights(divided)).toEqual(weights(whole));
      lower.settle?.();
      expect(sent).toEqual([]);
    },
  );

  it('reject checkpoints of other runs', () => {
    const { compiled } = compile(backprop, { steps: 1 });
    const step = createTrainStep({ compiled, optimizer: sgd({ learningRate }) });
    for (let now = 0; now < 5; now++) step.run(randomBatch(now), clockAt(now, 1, 9));
    const kept = [...(step.memory?.tensors() ?? [])].map(([name, tensor]) => [name, tf.keep(tensor.clone())] as const);
    const copies = () => new Map(kept.map(([name, tensor]) => [name, tensor.clone() as tf.Tensor] as const));
    const load = (change: (tensors: Map<string, tf.Tensor>) => void) => {
      const tensors = copies();
      change(tensors);
      return () => step.memory?.load({}, tensors);
    };
    expect(load((tensors) => tensors.set('3/4/input', tf.zeros([1])))).toThrow(/belongs to another/);
    expect(load((tensors) => tensors.delete('1/4/input'))).toThrow(/module 1 needs its input/);
    expect(load((tensors) => tensors.delete('1/4/gradients/2/0'))).toThrow(
      /module 1 needs 1 gradients of age 2 of step 4/,
    );
    expect(load((tensors) => tensors.set('other', tf.zeros([1])))).toThrow(/'other' does not exist in this run/);
    expect(load(() => {})).not.toThrow();
  });

  it('predict at least the memory that steps need, and what is kept', () => {
    const { compiled } = compile(backprop, { steps: 1 });
    const plain = compile(backprop, { steps: 0 }).compiled;
    expect(plain.predict(8).keptBytes).toBeUndefined();
    const step = createTrainStep({ compiled, optimizer: sgd({ learningRate }) });
    for (let now = 0; now < 6; now++) {
      const batch = randomBatch(now);
      step.run(batch, clockAt(now, 1, 9));
      batch.dispose();
    }
    const kept = [...(step.memory?.tensors() ?? [])].reduce((sum, [, { size }]) => sum + 4 * size, 0);
    expect(compiled.predict(8).keptBytes).toBe(kept);
  });
});

describe('delayed gradients are rejected', () => {
  const compileWith = (gradientDelay: GradientDelayOptions) => () => compile([[0, 1]], gradientDelay);

  it('for numbers that are not steps, and cuts that no gradient crosses', () => {
    expect(compileWith({ steps: -1 })).toThrow(/'gradientDelay' is -1; allowed: integers ≥ 0/);
    expect(compileWith({ steps: 1, cuts: [2] })).toThrow(
      /no gradient of 'random' crosses the cut before module 2.*allowed: cuts before modules 1/,
    );
  });

  it('where phases change, or weights are shared', () => {
    const { compiled, scope } = compileFour((plan) => ({ ...plan, objectives: objectivesOf([[0, 3]]) }));
    const phases = { phases: [{ name: 'a' }, { name: 'b', frozen: [0] }], phaseAt: () => 'a' };
    const plan = { ...compiled.plan, phases };
    const delayed = () => compilePlan(compiled.network, plan, { scope: createScope(6), gradientDelay: { steps: 1 } });
    expect(delayed).toThrow(/gradients of 'greedy' cannot be delayed, because its plan has phases/);
    for (const parameter of scope.all().values()) parameter.dispose();
  });

  it('with another executor', () => {
    const { compiled } = compile([[0, 1]], { steps: 1 });
    const { optimizer } = recorder();
    expect(() => createTrainStep({ compiled, optimizer, executor: createExecutor })).toThrow(
      /remove option 'executor'/,
    );
    expect(() => createExecutor(compiled)).toThrow(/use createTrainStep/);
  });
});
