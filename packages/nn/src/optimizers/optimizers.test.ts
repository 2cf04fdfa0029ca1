import { type Optimizer, Parameter, startOfTraining } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { classToken } from '../blocks/class-token.js';
import golden from '../fixtures/adam-pytorch.json' with { type: 'json' };
import { createScope } from '../random/scope.js';
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

  it('restart from a state without one of the two moments, as if it were not there', () => {
    const run = (optimizer: Optimizer) => {
      const parameter = new Parameter('a', tf.tensor1d([1, 2]));
      step(optimizer, 0.1, [parameter, tf.tensor1d([3, -4])]);
      return parameter.value.dataSync();
    };
    for (const create of [adam, adamw]) {
      const optimizer = create({ learningRate: 0.1 });
      optimizer.load(new Map([['first/a', tf.tensor1d([5, 5])]]));
      expect(run(optimizer)).toEqual(run(create({ learningRate: 0.1 })));
    }
  });

  it.each([
    [{ betas: [-0.5, 0.9] }, /'betas' is .*two numbers in \[0, 1\)/],
    [{ betas: [0.9] }, /'betas'/],
    [{ betas: 0.9 }, /'betas'/],
    [{ epsilon: -1e-8 }, /'epsilon' is .*numbers ≥ 0/],
    [{ epsilon: Number.POSITIVE_INFINITY }, /'epsilon'/],
    [{ epsilon: Number.NaN }, /'epsilon'/],
  ])('reject %j', (options, message) => {
    expect(() => adam({ learningRate: 0.1, ...options } as AdamOptions)).toThrow(message);
  });

  it('accept the smallest betas and epsilon', () => {
    const { config } = adam({ learningRate: 0.1, betas: [0, 0], epsilon: 0 });
    expect(config).toMatchObject({ betas: [0, 0], epsilon: 0 });
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

  it('decays matrices and filters, but no class token and no position embedding, if only matrices are requested', () => {
    const options = { learningRate: 0.5, weightDecay: 0.1 } as const;
    const changes = (optimizer: Optimizer, shapes: readonly (readonly number[])[]) =>
      shapes.map((shape, index) => moved(optimizer, String(index), [...shape]));
    const block = classToken({ name: 'tokens', scope: createScope(1), inputShape: [2, 3, 4] });
    const added = [...block.parameters.map(({ shape }) => shape), [4], []];
    const multiplied = [
      [4, 5],
      [1, 1, 2, 3],
      [3, 3, 2, 4],
    ];
    const [decay] = changes(create(options), [[4, 5]]);
    expect(changes(create({ ...options, decay: 'matrices' }), multiplied)).toEqual([decay, decay, decay]);
    expect(changes(create({ ...options, decay: 'matrices' }), added)).toEqual([0, 0, 0, 0]);
    expect(changes(create({ ...options, decay: 'all' }), added)).toEqual([decay, decay, decay, decay]);
    expect(decay).toBeGreaterThan(0);
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

  it.each([-1e-9, -1, Number.NaN, Number.POSITIVE_INFINITY])('rejects a learning rate or decay of %f', (value) => {
    expect(() => create({ learningRate: value })).toThrow(/'learningRate' is .*numbers ≥ 0/);
    expect(() => create({ learningRate: 1, weightDecay: value })).toThrow(/'weightDecay' is .*numbers ≥ 0/);
  });

  it('has its rules in its config, and nothing for those that are not given', () => {
    const rules = { decay: 'matrices', parameters: [{ match: '*.bias', learningRateScale: 2 }] } as const;
    const { config } = create({ learningRate: 0, weightDecay: 0 });
    expect(config).toMatchObject({ optimizer: name, learningRate: 0, weightDecay: 0 });
    expect(Object.keys(config)).not.toContain('decay');
    expect(Object.keys(config)).not.toContain('parameters');
    expect(create({ learningRate: 0, weightDecay: 0, ...rules }).config).toStrictEqual({ ...config, ...rules });
  });

  it('owns its state: reading it, loading it and disposing it leak no tensors', () => {
    const start = tf.memory().numTensors;
    const parameter = new Parameter('a', tf.ones([2]));
    const optimizer = create({ learningRate: 0.5 });
    const update = () => step(optimizer, 0.5, [parameter, tf.ones([2])]);
    update();
    const updated = tf.memory().numTensors;
    const saved = copyOf(optimizer.state());
    const read = tf.memory().numTensors;
    optimizer.state();
    expect(tf.memory().numTensors).toBe(read);
    update();
    expect(tf.memory().numTensors - saved.size).toBe(updated);
    optimizer.load(saved);
    expect(tf.memory().numTensors).toBe(updated);
    optimizer.state();
    optimizer.dispose();
    parameter.dispose();
    expect(tf.memory().numTensors).toBe(start);
    expect([...optimizer.state()]).toEqual([]);
  });

  it('replaces its state when another one is loaded', () => {
    const [a, b] = [new Parameter('a', tf.ones([2])), new Parameter('b', tf.ones([2]))];
    const other = create({ learningRate: 0.5 });
    step(other, 0.5, [b, tf.ones([2])]);
    const optimizer = create({ learningRate: 0.5 });
    step(optimizer, 0.5, [a, tf.ones([2])]);
    optimizer.load(copyOf(other.state()));
    expect([...optimizer.state().keys()]).toEqual([...other.state().keys()]);
  });

  it('rejects foreign state and invalid rules', () => {
    const optimizer = create({ learningRate: 0.5 });
    expect(() => optimizer.load(new Map([['speed/a', tf.zeros([1])]]))).toThrow(
      new RegExp(`Optimizer '${name}' has no state 'speed/a'`),
    );
    const wrong = [{ match: 'a', weightDecay: -1 }];
    expect(() => create({ learningRate: 1, parameters: wrong })).toThrow(/parameters\[0\].*'weightDecay' is -1/);
    expect(() => create({ learningRate: 1, parameters: [{ match: 'a', rate: 1 } as never] })).toThrow(/'rate'/);
    expect(() => create({ learningRate: 1, parameters: [{ match: '' }] })).toThrow(/parameters\[0\].*'match'/);
    expect(() => create({ learningRate: 1, parameters: [{} as never] })).toThrow(/parameters\[0\].*'match'/);
    expect(() => create({ learningRate: 1, parameters: {} as never })).toThrow(/'parameters' is .*a list of rules/);
    expect(() => createOptimizer({ optimizer: 'constructor', learningRate: 1 })).toThrow(/constructor.*adamw/);
    expect(() => create({ learningRate: 1, decay: 'some' } as never)).toThrow(
      /'decay' is 'some'; allowed: all, matrices/,
    );
    const key = name === 'sgd' ? 'velocity/a' : 'first/a';
    optimizer.load(new Map([[key, tf.zeros([3])]]));
    expect(() => step(optimizer, 1, [new Parameter('a', tf.ones([2])), tf.ones([2])])).toThrow(/has shape 3, but/);
  });
});
