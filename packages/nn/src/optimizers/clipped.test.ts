import { type Optimizer, Parameter, startOfTraining } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import golden from '../fixtures/clipping-pytorch.json' with { type: 'json' };
import { clipped } from './clipped.js';
import { createOptimizer } from './create-optimizer.js';
import { sgd } from './sgd.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

type Values = Readonly<Record<string, unknown>>;

const tensors = (values: Values) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, tf.tensor(value as number[])]));

/** An optimizer that passes gradients on to another one, and records them. */
function watched(inner: Optimizer) {
  const seen: Record<string, number[]>[] = [];
  const optimizer: Optimizer = {
    ...inner,
    update(gradients, context) {
      seen.push(
        Object.fromEntries(gradients.map(({ parameter, gradient }) => [parameter.name, [...gradient.dataSync()]])),
      );
      inner.update(gradients, context);
    },
  };
  return { optimizer, seen };
}

function expectClose(found: Readonly<Record<string, Iterable<number>>>, expected: Values): void {
  for (const [name, value] of Object.entries(expected)) {
    const numbers = (value as number[]).flat();
    [...(found[name] ?? [])].forEach((one, index) => {
      const wanted = numbers[index] ?? Number.NaN;
      expect(Math.abs(one - wanted), `${name}[${index}]`).toBeLessThanOrEqual(2e-7 + 1e-6 * Math.abs(wanted));
    });
    expect([...(found[name] ?? [])]).toHaveLength(numbers.length);
  }
}

describe('clipped', () => {
  it.each(golden.cases)('$optimizer to norm $norm gives the gradients and weights of PyTorch', (example) => {
    const { optimizer, seen } = watched(createOptimizer({ optimizer: example.optimizer, ...example.options }));
    const clipping = clipped(optimizer, { norm: example.norm });
    const parameters = Object.entries(tensors(golden.start)).map(([name, value]) => new Parameter(name, value));
    example.steps.forEach((step, index) => {
      const gradients = tensors(golden.gradients[index] ?? {});
      clipping.update(
        parameters.map((parameter) => ({ parameter, gradient: gradients[parameter.name] as tf.Tensor })),
        { learningRate: golden.rates[index] ?? Number.NaN, clock: startOfTraining },
      );
      expectClose(seen[index] ?? {}, step.clipped);
      expectClose(Object.fromEntries(parameters.map(({ name, value }) => [name, value.dataSync()])), step.weights);
    });
    clipping.dispose();
    for (const parameter of parameters) parameter.dispose();
  });

  it('keeps the bits of gradients whose norm is below the limit', () => {
    const { optimizer, seen } = watched(sgd({ learningRate: 0.1 }));
    const parameter = new Parameter('w', tf.tensor1d([0, 0, 0]));
    const values = [0.1, -1 / 3, 1e-30];
    const context = { learningRate: 0.1, clock: startOfTraining };
    clipped(optimizer, { norm: 1 }).update([{ parameter, gradient: tf.tensor1d(values) }], context);
    expect(seen[0]?.w).toEqual(values.map(Math.fround));
    optimizer.dispose();
    parameter.dispose();
  });

  it('receives whole steps, and has the state and the bytes of the optimizer that it wraps', () => {
    const inner = sgd({ learningRate: 0.1 });
    const optimizer = clipped(inner, { norm: 1 });
    const parameter = new Parameter('w', tf.tensor1d([1, 2]));
    expect(optimizer.needsWholeStep).toBe(true);
    expect(optimizer.stateBytes(parameter)).toBe(inner.stateBytes(parameter));
    optimizer.load(new Map([['velocity/w', tf.tensor1d([1, 1])]]));
    expect([...inner.state().keys()]).toEqual(['velocity/w']);
    optimizer.dispose();
    expect(inner.state().size).toBe(0);
    parameter.dispose();
  });

  it('is rebuilt from its config', () => {
    const { config } = clipped(sgd({ learningRate: 0.1, momentum: 0.5 }), { norm: 2 });
    expect(config).toMatchObject({ optimizer: 'sgd', learningRate: 0.1, momentum: 0.5, clipNorm: 2 });
    expect(createOptimizer(JSON.parse(JSON.stringify(config))).config).toEqual(config);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, '1'])('rejects norm %s', (norm) => {
    expect(() => clipped(sgd({ learningRate: 0.1 }), { norm } as never)).toThrow(/'norm' is .*finite numbers > 0/);
  });

  it('rejects unknown options, and an optimizer that is clipped already', () => {
    const optimizer = sgd({ learningRate: 0.1 });
    expect(() => clipped(optimizer, { norms: 1 } as never)).toThrow(/norms/);
    expect(() => clipped(clipped(optimizer, { norm: 1 }), { norm: 2 })).toThrow(/already has clipNorm: 1/);
  });
});
