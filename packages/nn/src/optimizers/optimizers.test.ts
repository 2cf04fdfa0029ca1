import { type Optimizer, Parameter, startOfTraining } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import golden from '../fixtures/adam-pytorch.json' with { type: 'json' };
import { type AdamOptions, adam, adamw } from './adam.js';
import { createOptimizer } from './create-optimizer.js';
import { type SgdOptions, sgd } from './sgd.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const step = (optimizer: Optimizer, learningRate: number, ...pairs: readonly (readonly [Parameter, tf.Tensor])[]) =>
  optimizer.update(
    pairs.map(([parameter, gradient]) => ({ parameter, gradient })),
    { learningRate, clock: startOfTraining },
  );
const copyOf = (state: ReadonlyMap<string, tf.Tensor>) =>
  new Map([...state].map(([name, tensor]) => [name, tf.tensor(tensor.dataSync().slice(), tensor.shape)]));

describe('adam and adamw', () => {
  it.each(golden.cases)('$optimizer matches PyTorch: $options', ({ optimizer: name, options, weights }) => {
    const create = name === 'adam' ? adam : adamw;
    const optimizer = create(options as unknown as AdamOptions);
    const parameter = new Parameter('w', tf.tensor1d(golden.start));
    const before = tf.memory().numTensors;
    golden.gradients.forEach((gradient, index) => {
      step(optimizer, golden.rates[index] ?? 0, [parameter, tf.tensor1d(gradient)]);
      const found = parameter.value.dataSync();
      weights[index]?.forEach((value, at) => {
        expect(Math.abs((found[at] ?? Number.NaN) - value)).toBeLessThan(2e-6);
      });
      expect(tf.memory().numTensors).toBe(before + 2);
    });
    optimizer.dispose();
    expect(tf.memory().numTensors).toBe(before);
    parameter.dispose();
  });

  it('count the updates of each parameter, and resume bit-identically from their state', () => {
    for (const create of [adam, adamw]) {
      const options = { learningRate: 0.1, weightDecay: 0.05 };
      const run = (optimizer: Optimizer, parameter: Parameter, from: number, to: number) => {
        for (let index = from; index < to; index++) step(optimizer, 0.1, [parameter, tf.tensor1d([index, -1 / index])]);
      };
      const straight = new Parameter('a', tf.tensor1d([1, 2]));
      const whole = create(options);
      run(whole, straight, 1, 6);
      const first = new Parameter('a', tf.tensor1d([1, 2]));
      const early = create(options);
      run(early, first, 1, 3);
      expect([...early.state().keys()]).toEqual(['first/a', 'second/a', 'updates/a']);
      expect(early.state().get('updates/a')?.dataSync()[0]).toBe(2);
      const late = create(options);
      late.load(copyOf(early.state()));
      run(late, first, 3, 6);
      expect(first.value.dataSync()).toEqual(straight.value.dataSync());
      expect(copyOf(late.state()).get('second/a')?.dataSync()).toEqual(whole.state().get('second/a')?.dataSync());
    }
  });

  it('have a config that rebuilds them', () => {
    for (const optimizer of [
      adam({ learningRate: 0.1, betas: [0.8, 0.9] }),
      adamw({ learningRate: 0.1, decay: 'matrices', parameters: [{ match: 'fc.*', learningRateScale: 0.1 }] }),
    ]) {
      expect(createOptimizer(JSON.parse(JSON.stringify(optimizer.config))).config).toEqual(optimizer.config);
    }
    expect(() => adam({ learningRate: 0.1, betas: [1, 0.9] })).toThrow(/'betas'/);
    expect(() => adam({ learningRate: 0.1, beta: 1 } as never)).toThrow(/Allowed: .*betas/);
  });
});

describe.each([
  ['sgd', (options: SgdOptions) => sgd({ momentum: 0.9, ...options }), 4],
  ['adam', adam, 8],
  ['adamw', adamw, 8],
] as const)('%s', (name, create, bytesPerValue) => {
  const gradient = () => tf.zeros([2, 2]);
  const moved = (optimizer: Optimizer, parameterName: string, shape: number[] = [2, 2]) => {
    const parameter = new Parameter(parameterName, tf.ones(shape));
    step(optimizer, 0.5, [parameter, tf.zeros(shape)]);
    return 1 - (parameter.value.dataSync()[0] ?? Number.NaN);
  };

  it('applies weight decay per parameter: by rules, where later ones override, and to matrices only if requested', () => {
    const options = {
      learningRate: 0.5,
      weightDecay: 0.1,
      decay: 'matrices',
      parameters: [
        { match: 'heads.*', weightDecay: 0 },
        { match: 'heads.*.fc.weight', weightDecay: 0.1 },
      ],
    } as const;
    const optimizer = create(options);
    const decay = moved(optimizer, 'conv.weight');
    expect(decay).toBeGreaterThan(0);
    expect(moved(optimizer, 'bn.bias', [4])).toBe(0);
    expect(moved(optimizer, 'heads.a.conv.weight')).toBe(0);
    expect(moved(optimizer, 'heads.a.fc.weight')).toBe(decay);
    expect(moved(optimizer, 'theheads.a')).toBe(decay);
  });

  it('scales the learning rate per parameter', () => {
    const rules = { learningRate: 1, weightDecay: 0, parameters: [{ match: '*.slow', learningRateScale: 0.25 }] };
    const optimizer = create(rules);
    const change = (parameterName: string) => {
      const parameter = new Parameter(parameterName, tf.zeros([3]));
      step(optimizer, 0.5, [parameter, tf.ones([3])]);
      return parameter.value.dataSync()[0] ?? Number.NaN;
    };
    expect(change('a.slow') / change('a.fast')).toBeCloseTo(0.25, 6);
  });

  it('does not change parameters without a gradient, and reports its state bytes', () => {
    const optimizer = create({ learningRate: 0.5 });
    const [a, b] = ['a', 'b'].map((parameterName) => new Parameter(parameterName, tf.ones([2, 2])));
    if (a === undefined || b === undefined) throw new Error('two parameters');
    step(optimizer, 0.5, [a, gradient()], [b, gradient()]);
    const state = copyOf(optimizer.state());
    const value = b.value;
    step(optimizer, 0.5, [a, gradient()]);
    expect(b.value).toBe(value);
    for (const [key, tensor] of optimizer.state()) {
      if (key.endsWith('/b')) expect(tensor.dataSync()).toEqual(state.get(key)?.dataSync());
    }
    const bytes = [...optimizer.state()].flatMap(([key, { size }]) => (key.endsWith('/a') ? [4 * size] : []));
    expect(optimizer.stateBytes(a)).toBe(bytes.reduce((sum, one) => sum + one, 0));
    expect(optimizer.stateBytes(a)).toBeGreaterThanOrEqual(4 * bytesPerValue);
  });

  it('rejects foreign state and invalid rules', () => {
    const optimizer = create({ learningRate: 0.5 });
    expect(() => optimizer.load(new Map([['speed/a', tf.zeros([1])]]))).toThrow(
      new RegExp(`Optimizer '${name}' has no state 'speed/a'`),
    );
    const wrong = [{ match: 'a', weightDecay: -1 }];
    expect(() => create({ learningRate: 1, parameters: wrong })).toThrow(/parameters\[0\].*'weightDecay' is -1/);
    expect(() => create({ learningRate: 1, parameters: [{ match: 'a', rate: 1 } as never] })).toThrow(/'rate'/);
    expect(() => create({ learningRate: 1, decay: 'some' } as never)).toThrow(
      /'decay' is 'some'; allowed: all, matrices/,
    );
    const key = name === 'sgd' ? 'velocity/a' : 'first/a';
    optimizer.load(new Map([[key, tf.zeros([3])]]));
    expect(() => step(optimizer, 1, [new Parameter('a', tf.ones([2])), tf.ones([2])])).toThrow(/has shape 3, but/);
  });
});
