import {
  type Head,
  type HeadFactory,
  type HeadResult,
  independentPlan,
  type MovingAverage,
  Parameter,
  startOfTraining,
  type TrainingPlan,
} from '@localgrad/core';
import { conv2d } from '@localgrad/nn/blocks';
import { createClassifier } from '@localgrad/nn/heads';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkWeights } from './check-weights.js';
import { type CompiledPlan, compilePlan } from './compile.js';
import { predict } from './evaluation.js';
import { buildNetwork, classes, headFactory } from './plain-network.fixture.js';
import { fourLayers, randomBatch, recorder } from './train-step.fixture.js';
import { createTrainStep } from './train-step.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

type Change = (head: Head) => Head;

/** Compiles a network of four modules with a modified head on the second one. */
function compileWith(
  change: Change,
  options: { readonly targets?: readonly string[]; readonly plan?: Partial<TrainingPlan> } = {},
) {
  const scope = createScope(1);
  const network = buildNetwork(fourLayers, [1, 1, 1, 1], scope);
  const factory: HeadFactory = {
    name: 'own',
    build: ({ inputShape, module }, place) => {
      const head = createClassifier({ scope: place, inputShape, classes, name: 'own' });
      return module === 1 ? change(head) : head;
    },
  };
  const plan = { ...independentPlan('acme', network, factory), ...options.plan };
  const { targets } = options;
  return compilePlan(network, plan, { scope, ...(targets === undefined ? {} : { targets }) });
}

/** Makes the head's first weight a moving average of another parameter. */
function withAverage(head: Head, change: Partial<MovingAverage>): Head {
  const [average] = head.parameters;
  if (average === undefined) throw new Error('The head has no parameter.');
  return { ...head, averages: [{ average, live: 'fc.weight', momentum: 0.5, when: 'afterUpdate', ...change }] };
}

const place = /head 'own' \(module1\) on module 1 \(1,1\)/;

describe('compiling a plan', () => {
  it.each<[string, Change, RegExp]>([
    [
      'a head for another shape',
      (head) => ({ ...head, inputShape: [1, 2, 3] }),
      /inputShape 1×2×3.*output of its module has shape 6×6×3/,
    ],
    ['a head without parameters', (head) => ({ ...head, parameters: undefined as never }), /no list 'parameters'/],
    ['a head without statistics', (head) => ({ ...head, statistics: undefined as never }), /no list 'statistics'/],
    ['a head without evaluate', (head) => ({ ...head, evaluate: undefined as never }), /no method 'evaluate'/],
    [
      'a weight as state',
      (head) => ({ ...head, state: head.parameters.slice(0, 1) }),
      /lists 'heads\.module1\.fc\.weight' as state, but its kind is 'weight'/,
    ],
    ['targets that are not strings', (head) => ({ ...head, reads: [3 as never] }), /'reads' that is not a string/],
    [
      'an average of an unknown parameter',
      (head) => withAverage(head, { live: 'b9.weight' }),
      /moving average 'heads\.module1\.fc\.weight' of 'b9\.weight', which is not a parameter/,
    ],
    [
      'an average of another shape',
      (head) => withAverage(head, { live: 'b3.conv1.weight' }),
      /which has a different shape/,
    ],
    ['a momentum above 1', (head) => withAverage(head, { momentum: 1.5 }), /momentum 1\.5.*allowed: 0 to 1/],
    [
      'an average that is not a parameter of the head',
      (head) => ({
        ...head,
        averages: [
          { average: new Parameter('other', tf.zeros([1])), live: 'fc.weight', momentum: 0, when: 'afterUpdate' },
        ],
      }),
      /moving average 'other', which is not one of its parameters/,
    ],
  ])('reports head and module for %s', (_, change, message) => {
    expect(() => compileWith(change)).toThrow(message);
    expect(() => compileWith(change)).toThrow(place);
  });

  it('rejects beforeUpdate averages of weights that may already be updated when the head is evaluated', () => {
    const follow = (live: string, when: 'beforeUpdate' | 'afterUpdate') => {
      const scope = createScope(1);
      const network = buildNetwork(fourLayers, [1, 1, 1, 1], scope);
      const factory: HeadFactory = {
        name: 'following',
        build: ({ inputShape }, own) => {
          const head = createClassifier({ scope: own, inputShape, classes });
          const average = own.parameter('copy', [3], () => new Float32Array(3), 'frozen');
          return {
            ...head,
            parameters: [...head.parameters, average],
            averages: [{ average, live, momentum: 0, when }],
          };
        },
      };
      const span = [1, 1] as const;
      const objectives = [{ id: 'a', role: 'independent', span, weight: 1, head: { key: 'a', factory } }];
      return compilePlan(network, { method: 'acme', objectives, hooks: [] }, { scope });
    };
    expect(() => follow('b0.bn.bias', 'beforeUpdate')).toThrow(/'b0\.bn\.bias', which belongs to an earlier module/);
    expect(follow('b0.bn.bias', 'afterUpdate').averages).toHaveLength(1);
    expect(follow('b1.bn1.bias', 'beforeUpdate').averages).toHaveLength(1);
  });

  it('reports factory, objective and module for a factory that builds no head', () => {
    expect(() => compileWith(() => undefined as never)).toThrow(
      /head factory 'own' of objective 'module1' on module 1 built no head: it is undefined/,
    );
    expect(() => compileWith(() => ({}) as never)).toThrow(/\(module1\) on module 1 \(1,1\) has no list 'parameters'/);
    const mistaken = ({ parameters }: Head) => (parameters[9] as Parameter).name as never;
    expect(() => compileWith(mistaken)).toThrow(/of objective 'module1' on module 1 failed: .*\(mistakes\.test\.ts:/);
    expect(() => compileWith((async () => {}) as never)).toThrow(
      /of objective 'module1' on module 1 returned a Promise/,
    );
  });

  it('reports a backbone without a classifier', () => {
    const scope = createScope(1);
    const whole = buildNetwork(fourLayers, [1, 1, 1, 1], scope);
    const network = { ...whole, backbone: { ...whole.backbone, classifier: undefined as never } };
    expect(() => compilePlan(network, independentPlan('acme', whole, headFactory), { scope })).toThrow(
      "Backbone 'random': its classifier is undefined; it must be a head.",
    );
  });

  it('reports both owners of a duplicate parameter name', () => {
    const twin = createScope(3).parameter('fc.weight', [1], () => new Float32Array(1));
    expect(() => compileWith((head) => ({ ...head, parameters: [...head.parameters, twin] }))).toThrow(
      /Duplicate parameter 'fc\.weight': it belongs to the classifier and to head 'own' \(module1\)/,
    );
  });

  it('reports a target that no batch contains', () => {
    const reading: Change = (head) => ({ ...head, reads: ['labels', 'depth'] });
    expect(() => compileWith(reading, { targets: ['labels', 'images'] })).toThrow(
      /head 'own' \(module1\).*reads the target 'depth', but batches contain labels, images/,
    );
    expect(compileWith(reading).reads).toEqual(['labels', 'depth']);
  });

  it('reports a block whose replacement has another shape or other parameters', () => {
    const scope = createScope(8);
    const other = conv2d({ name: 'other', scope, inputShape: [6, 6, 3], channels: 3 });
    const replace = (index: number) => () =>
      compileWith((head) => head, { plan: { rewriteBlock: (block, at) => (at.module === index ? other : block) } });
    expect(replace(0)).toThrow(
      /'acme': rewriteBlock replaces block 'b0' of module 0 with a block of inputShape 6×6×3 instead of 6×6×2/,
    );
    expect(replace(1)).toThrow(/block 'b1' of module 1 with a block that has an additional parameter/);
    const spread = () =>
      compileWith((head) => head, { plan: { rewriteBlock: (block) => ({ ...block, forward: block.forward }) } });
    expect(spread).toThrow(/block 'b0' of module 0 with a block without vjp\. A spread .*vjp: \(pass/);
    expect(() => compileWith((head) => head, { plan: { rewriteBlock: () => 3 as never } })).toThrow(/block that is 3/);
  });
});

describe('the first step', () => {
  const step = (compiled: CompiledPlan, targets: Record<string, tf.Tensor> = {}) => {
    const batch = randomBatch(1);
    return createTrainStep({ compiled, optimizer: recorder().optimizer }).run(
      { images: batch.images, targets: { ...batch.targets, ...targets } },
      startOfTraining,
    );
  };
  /** Modifies the head's result. */
  const returning =
    (change: (result: HeadResult, head: Head) => HeadResult): Change =>
    (head) => ({ ...head, evaluate: (...given) => change(head.evaluate(...given), head) });

  it.each<[string, Change, RegExp]>([
    [
      'a loss per sample',
      returning((result) => ({ ...result, loss: tf.zeros([8]) as never })),
      /returned a loss of shape \[8\]; it must be a scalar/,
    ],
    ['no loss', returning((result) => ({ ...result, loss: undefined as never })), /returned no loss/],
    [
      'a term that is not a scalar',
      returning((result) => ({ ...result, terms: new Map([['part', tf.zeros([2]) as never]]) })),
      /returned a term 'part' that is not a scalar/,
    ],
    [
      'no cotangent',
      returning(({ input: _, ...result }) => result),
      /returned no cotangent of its input, although one was requested/,
    ],
    [
      'a cotangent of another shape',
      returning((result) => ({ ...result, input: tf.zeros([8, 3, 3, 3]) as tf.Tensor4D })),
      /returned a cotangent of shape 8×3×3×3 for an input of shape 8×6×6×3/,
    ],
    [
      'a gradient of a foreign weight',
      returning((result) => ({
        ...result,
        parameters: new Map([...result.parameters, [new Parameter('foreign', tf.zeros([1])), tf.zeros([1])]]),
      })),
      /returned a gradient for 'foreign', which is not one of its parameters/,
    ],
    [
      'a missing gradient',
      returning((result) => ({ ...result, parameters: new Map([...result.parameters].slice(1)) })),
      /returned no gradient for its weight 'heads\.module1\.fc\.weight'/,
    ],
    [
      'a gradient of another shape',
      returning((result, { parameters: [first] }) => ({
        ...result,
        parameters: new Map([...result.parameters, [first as Parameter, tf.zeros([7])]]),
      })),
      /returned a gradient of shape 7 for 'heads\.module1\.fc\.weight' of shape 3×3/,
    ],
    [
      'leaked tensors',
      (head) => ({
        ...head,
        evaluate: (...given) => {
          tf.zeros([3]);
          tf.zeros([4]);
          return head.evaluate(...given);
        },
      }),
      /leaks 2 tensors per evaluation/,
    ],
  ])('reports head and module for %s', (_, change, message) => {
    const compiled = compileWith(change);
    expect(() => step(compiled)).toThrow(message);
    expect(() => step(compiled)).toThrow(place);
  });

  it('reports head, module and target if the batch lacks the target or has another size', () => {
    const compiled = compileWith((head) => ({ ...head, reads: ['labels', 'depth'] }));
    expect(() => step(compiled)).toThrow(
      /head 'own' \(module1\) on module 1.*'depth', which is missing from the batch; its targets: labels/,
    );
    expect(() => step(compiled, { depth: tf.zeros([3, 1]) })).toThrow(
      /'depth', which has 3 entries in this batch of 8 images/,
    );
  });
});

describe('non-finite weights', () => {
  it('are reported with their owner', async () => {
    const compiled = compileWith((head) => head);
    await expect(checkWeights(compiled)).resolves.toBeUndefined();
    const spoil = (name: string) => {
      const parameter = compiled.parameters.get(name);
      parameter?.assign(tf.fill([...parameter.shape], Number.NaN));
    };
    spoil('heads.module1.fc.bias');
    await expect(checkWeights(compiled)).rejects.toThrow(
      /'heads\.module1\.fc\.bias' of head 'own' \(module1\) on module 1/,
    );
    spoil('b0.bn.running_var');
    await expect(checkWeights(compiled)).rejects.toThrow(
      /'b0\.bn\.running_var' of module 0 \(1,0\) contains non-finite values/,
    );
  });
});

describe('evaluation', () => {
  it('reports a classifier without predict', () => {
    const scope = createScope(1);
    const { backbone, ...network } = buildNetwork(fourLayers, [4], scope);
    const { predict: _, ...classifier } = backbone.classifier;
    const { images } = randomBatch(1);
    expect(() => predict({ ...network, backbone: { ...backbone, classifier } }, images)).toThrow(
      /classifier of random, head 'classifier', has no method 'predict'/,
    );
  });
});
