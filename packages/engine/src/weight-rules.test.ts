import { clipped, sgd } from '@localgrad/nn/optimizers';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { describePlan } from './description.js';
import { compileFour } from './train-step.fixture.js';
import { describeRules } from './weight-rules.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const { compiled } = compileFour();
const weights = [...compiled.parameters.values()].filter(({ kind }) => kind === 'weight');
const sizeOf = (pattern: RegExp) => weights.reduce((sum, { name, size }) => sum + (pattern.test(name) ? size : 0), 0);

describe('describeRules', () => {
  it('counts the weights of network and heads that each rule applies to', () => {
    const optimizer = sgd({
      learningRate: 0.1,
      parameters: ['*.bias', 'heads.*', '*.gama', '*.running_mean'].map((match) => ({ match, weightDecay: 0 })),
    });
    const found = describeRules(compiled, optimizer);
    expect(found).toEqual([
      {
        match: '*.bias',
        tensors: weights.filter(({ name }) => name.endsWith('.bias')).length,
        parameters: sizeOf(/\.bias$/),
      },
      { match: 'heads.*', tensors: 6, parameters: sizeOf(/^heads\./) },
      { match: '*.gama', tensors: 0, parameters: 0 },
      // Running statistics are not trained.
      { match: '*.running_mean', tensors: 0, parameters: 0 },
    ]);
    expect(found[0]?.tensors).toBeGreaterThan(0);
    expect(describePlan(compiled, 4, { optimizer }).rules).toEqual(found);
    expect(describePlan(compiled, 4, { optimizer: clipped(optimizer, { norm: 1 }) }).rules).toEqual(found);
  });

  it('has nothing to say about an optimizer without rules', () => {
    const optimizer = sgd({ learningRate: 0.1 });
    expect(describeRules(compiled, optimizer)).toEqual([]);
    expect(describePlan(compiled, 4, { optimizer })).not.toHaveProperty('rules');
    expect(describePlan(compiled, 4)).not.toHaveProperty('rules');
  });

  it('names the optimizer whose rules are not rules', () => {
    const own = (rules: unknown) => ({ config: { optimizer: 'own' }, rules: rules as never });
    for (const rules of [{}, [{ match: 'a' }], [undefined]]) {
      expect(() => describeRules(compiled, own(rules))).toThrow(
        /^'rules' of optimizer 'own' is .*; it must be a list of rules/,
      );
    }
    const failing = [{ match: '*', appliesTo: (parameter: tf.Tensor) => parameter.dataSync().length > 0 }];
    expect(() => describeRules(compiled, own(failing))).toThrow(
      /^Method 'appliesTo' of rule '\*' of optimizer 'own' failed: .*weight-rules\.test\.ts/,
    );
  });
});
