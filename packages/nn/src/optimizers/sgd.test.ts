import { type Optimizer, Parameter, startOfTraining } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import fixture from '../fixtures/pytorch.json' with { type: 'json' };
import { createOptimizer } from './create-optimizer.js';
import { sgd } from './sgd.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function update(optimizer: Optimizer, parameter: Parameter, gradient: tf.Tensor, learningRate: number): void {
  optimizer.update([{ parameter, gradient }], { learningRate, clock: startOfTraining });
}

describe('sgd', () => {
  it.each(fixture.sgd.cases)('matches PyTorch: lr $learningRate, momentum $momentum, nesterov $nesterov', (oracle) => {
    const { weights, ...options } = oracle;
    const optimizer = sgd(options);
    const parameter = new Parameter('w', tf.tensor1d(fixture.sgd.start));
    const before = tf.memory().numTensors;
    fixture.sgd.gradients.forEach((gradient, step) => {
      update(optimizer, parameter, tf.tensor1d(gradient), options.learningRate);
      const found = parameter.value.dataSync();
      weights[step]?.forEach((value, index) => {
        expect(Math.abs((found[index] as number) - value)).toBeLessThan(2e-6);
      });
    });
    expect(tf.memory().numTensors).toBe(before + (options.momentum === 0 ? 0 : 1));
    optimizer.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('names its state tensors, which can be loaded into another instance', () => {
    const options = { learningRate: 0.1 };
    const [first, second] = [sgd(options), sgd(options)];
    const [a, b] = [new Parameter('a', tf.ones([2])), new Parameter('b', tf.ones([2]))];
    update(first, a, tf.ones([2]), 0.1);
    expect([...first.state().keys()]).toEqual(['velocity/a']);
    second.load(new Map([...first.state()].map(([name, velocity]) => [name, tf.clone(velocity)])));
    const twin = new Parameter('a', tf.clone(a.value));
    update(first, a, tf.fill([2], 0.5), 0.05);
    update(second, twin, tf.fill([2], 0.5), 0.05);
    expect([...twin.value.dataSync()]).toEqual([...a.value.dataSync()]);
    expect([...b.value.dataSync()]).toEqual([1, 1]);
  });

  it('is rebuilt from its config', () => {
    const { config } = sgd({ learningRate: 0.2, nesterov: false });
    expect(createOptimizer(JSON.parse(JSON.stringify(config))).config).toEqual(config);
    expect(() => createOptimizer({ optimizer: 'adamm', learningRate: 1 })).toThrow(/Did you mean 'adam'.*sgd/);
  });

  it('has a complete config, and rejects inconsistent options', () => {
    expect(sgd({ learningRate: 0.8 }).config).toEqual({
      optimizer: 'sgd',
      learningRate: 0.8,
      momentum: 0.9,
      nesterov: true,
      weightDecay: 1e-4,
    });
    expect(() => sgd({ learningRate: 0.1, momentum: 0, nesterov: true })).toThrow(/nesterov/);
    expect(() => sgd({ learningRate: 0.1, momentum: 1 })).toThrow(/momentum/);
    expect(() => sgd({ learningRate: 0.1, momentum: -0.5 })).toThrow(/momentum/);
    expect(() => sgd({ learningRate: 0.1, decoy: 1 } as never)).toThrow(/weightDecay/);
  });

  it('has neither Nesterov momentum nor state without momentum', () => {
    const optimizer = sgd({ learningRate: 0.1, momentum: 0 });
    expect(optimizer.config).toMatchObject({ momentum: 0, nesterov: false });
    const parameter = new Parameter('w', tf.ones([3]));
    expect(optimizer.stateBytes(parameter)).toBe(0);
    update(optimizer, parameter, tf.ones([3]), 0.1);
    expect(parameter.value.dataSync()[0]).toBeCloseTo(1 - 0.1 * (1 + 1e-4), 6);
    expect([...optimizer.state()]).toEqual([]);
    expect(() => optimizer.load(new Map([['velocity/w', tf.ones([3])]]))).toThrow(
      /'sgd' has no state 'velocity\/w'; allowed: none/,
    );
  });
});
