import { evaluationMode, messageOf, type Shape3, startOfTraining, type Targets, trainingMode } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { relu } from '../blocks/activations.js';
import { createClassifier } from '../heads/classifier.js';
import { heNormalFanOut, ones, uniformFanIn } from '../random/initializers.js';
import { createRandom } from '../random/random.js';
import { createScope } from '../random/scope.js';
import { checkBlock, copy, randomTensor, relativeError } from '../testing/check-block.js';
import { tapeBlock } from './tape-block.js';
import { tapeHead } from './tape-head.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const shape: Shape3 = [4, 4, 2];

function convolution() {
  const scope = createScope(1);
  const parameters = [scope.parameter('w', [3, 3, 2, 2], heNormalFanOut), scope.parameter('b', [2], uniformFanIn(18))];
  const fn = (x: tf.Tensor4D, [w, b]: readonly tf.Tensor[]) =>
    tf.tanh(tf.add<tf.Tensor4D>(tf.conv2d(x, w as tf.Tensor4D, 1, 1), b as tf.Tensor));
  return { name: 'tape', inputShape: shape, outputShape: shape, parameters, fn };
}

describe('tapeBlock', () => {
  it('behaves as a block with its own VJP', () => {
    const options = convolution();
    checkBlock(tapeBlock(options), options.fn);
  });

  it('returns no gradient for frozen or unused parameters', () => {
    const scope = createScope(1);
    const parameters = [scope.parameter('frozen', [2], ones, 'frozen'), scope.parameter('unread', [2], ones)];
    const fn = (x: tf.Tensor4D, [scale]: readonly tf.Tensor[]) => tf.mul<tf.Tensor4D>(x, scale as tf.Tensor);
    const block = tapeBlock({ name: 't', inputShape: shape, outputShape: shape, parameters, fn });
    const x = tf.ones([1, ...shape]) as tf.Tensor4D;
    const before = tf.memory().numTensors;
    const pass = block.forward(x, trainingMode);
    const want = { input: true, parameters: true, release: true };
    const { input, parameters: gradients } = block.vjp(pass, copy(x), want);
    expect(gradients.size).toBe(0);
    expect([...(input?.dataSync() ?? [])]).toEqual([...x.dataSync()]);
    tf.dispose([pass.output, input as tf.Tensor]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('supports the identity and functions that ignore their input', () => {
    const x = tf.ones([1, ...shape]) as tf.Tensor4D;
    const want = { input: true, parameters: true, release: true };
    const before = tf.memory().numTensors;
    for (const [fn, wanted] of [
      [(y: tf.Tensor4D) => y, 1],
      [(y: tf.Tensor4D) => tf.zeros(y.shape) as tf.Tensor4D, 0],
    ] as const) {
      const pass = tapeBlock({ name: 't', inputShape: shape, outputShape: shape, fn }).forward(x, trainingMode);
      pass.output.dispose();
      expect(x.isDisposed).toBe(false);
      const block = tapeBlock({ name: 't', inputShape: shape, outputShape: shape, fn });
      const other = block.forward(x, trainingMode);
      const { input } = block.vjp(other, copy(x), want);
      expect(input?.dataSync()[0]).toBe(wanted);
      tf.dispose([other.output, input as tf.Tensor]);
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it('reports its name for a gradient that TensorFlow.js does not have', () => {
    const fn = (x: tf.Tensor4D) => tf.mul(x, tf.cast(tf.greater(x, 0), 'float32'));
    const block = tapeBlock({ name: 't', inputShape: shape, outputShape: shape, fn });
    const pass = block.forward(tf.ones([1, ...shape]), trainingMode);
    expect(() => block.vjp(pass, tf.ones([1, ...shape]), { input: true, parameters: true, release: true })).toThrow(
      /^tapeBlock 't': TensorFlow\.js cannot compute its gradient: .*gradient function not found for Greater/,
    );
  });

  it('reports its name for a wrong shape and for an unsupported replication', () => {
    const block = tapeBlock({ name: 't', inputShape: shape, outputShape: [2, 2, 2], fn: (x) => x });
    expect(() => block.forward(tf.ones([1, ...shape]), evaluationMode)).toThrow(
      /'t' returned 1×4×4×2 instead of 1×2×2×2: the batch and its outputShape/,
    );
    const single = tapeBlock({ name: 't', inputShape: shape, outputShape: shape, fn: (x) => tf.sum(x, 0, true) });
    expect(() => single.forward(tf.ones([3, ...shape]), evaluationMode)).toThrow(
      /'t' returned 1×4×4×2 instead of 3×4×4×2/,
    );
    const broken = tapeBlock({ name: 't', inputShape: shape, outputShape: shape, fn: (() => undefined) as never });
    expect(() => broken.forward(tf.ones([1, ...shape]), evaluationMode)).toThrow(/tapeBlock 't': fn returned nothing/);
    expect(() => block.replicate(createScope(1))).toThrow(/'replicate'/);
    const able = tapeBlock({ ...convolution(), replicate: () => relu('copy', shape) });
    expect(able.replicate(createScope(1)).name).toBe('copy');
  });
});

/** The message of what a function throws. */
function reasonOf(call: () => unknown): string {
  try {
    call();
    return '';
  } catch (error) {
    return messageOf(error);
  }
}

describe('tapeHead', () => {
  const targets = () => ({ labels: tf.tensor1d([1, 0, 2], 'int32') });

  it('matches the weighted gradients of the explicit classifier', () => {
    const classifier = createClassifier({ scope: createScope(1), inputShape: shape, classes: 3 });
    const logits = (h: tf.Tensor4D, [w, b]: readonly tf.Tensor[]) =>
      tf.add<tf.Tensor2D>(tf.matMul(tf.mean<tf.Tensor2D>(h, [1, 2]), w as tf.Tensor2D), b as tf.Tensor);
    const head = tapeHead({
      name: 'tape',
      inputShape: shape,
      parameters: classifier.parameters,
      predict: logits,
      fn: (h, { labels }, values) =>
        tf.losses.softmaxCrossEntropy(tf.oneHot(labels ?? [], 3), logits(h, values)) as tf.Scalar,
    });
    const h = randomTensor([3, ...shape], createRandom(1)) as tf.Tensor4D;
    const batch = targets();
    const before = tf.memory().numTensors;
    const request = { mode: trainingMode, weight: 0.3, input: true, clock: startOfTraining };
    const [found, wanted] = [head.evaluate(h, batch, request), classifier.evaluate(h, batch, request)];
    expect(tf.memory().numTensors).toBe(before + 8);
    expect(found.loss.dataSync()[0]).toBeCloseTo(wanted.loss.dataSync()[0] as number, 5);
    expect(relativeError(found.input as tf.Tensor, wanted.input as tf.Tensor)).toBeLessThan(1e-5);
    for (const parameter of classifier.parameters) {
      const [mine, its] = [found.parameters.get(parameter), wanted.parameters.get(parameter)];
      expect(relativeError(mine as tf.Tensor, its as tf.Tensor)).toBeLessThan(1e-5);
    }
    expect(relativeError(head.predict?.(h) as tf.Tensor, classifier.predict?.(h) as tf.Tensor)).toBeLessThan(1e-5);
  });

  it('returns only the requested results', () => {
    const head = tapeHead({ name: 't', inputShape: shape, fn: (h) => tf.mean(tf.square(h)) });
    const h = tf.fill([3, ...shape], 2) as tf.Tensor4D;
    const batch = targets();
    const before = tf.memory().numTensors;
    for (const mode of [evaluationMode, trainingMode]) {
      const result = head.evaluate(h, batch, {
        mode,
        weight: 1,
        input: mode === evaluationMode,
        clock: startOfTraining,
      });
      expect([result.loss.dataSync()[0], result.input, result.parameters.size]).toEqual([4, undefined, 0]);
      result.loss.dispose();
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each<[string, (h: tf.Tensor4D, targets: Targets, parameters: readonly tf.Tensor[]) => unknown, RegExp]>([
    ['no result', () => undefined, /fn returned nothing; it must return a tensor, or an object with the tensor 'loss'/],
    ['a number', () => 3, /fn returned the number 3/],
    ['a misspelled loss', (h) => ({ los: tf.mean(h) }), /fn returned an object with los/],
    ['a number as loss', () => ({ loss: 3 }), /fn returned an object with loss/],
    ['a Promise', async (h) => tf.mean(h), /fn returned a Promise.*must not be async/],
    ['a loss per sample', (h) => tf.mean(h, [1, 2, 3]), /fn returned a loss of shape 3; it must be a scalar/],
    ['a number as term', (h) => ({ loss: tf.mean(h), terms: { a: 1 } }), /returned the number 1 as term 'a'/],
    [
      'a missing target',
      (_h, { depth }) => tf.mean(depth as tf.Tensor),
      /fn failed: .*Parameters that it receives: 'w' of shape 2\. Targets that it may read: labels/,
    ],
    [
      'operands that do not fit',
      (h) => tf.matMul(tf.mean(h, [1, 2]), tf.ones([5, 1])),
      /fn failed: .*matMul.* \(tape\.test\.ts:\d+:\d+\)/,
    ],
    ['a disposed input', (h) => h.dispose() ?? tf.scalar(1), /fn disposed h, which it only borrows/],
    ['an input that it disposed', (h) => h.dispose() ?? tf.mean(h), /fn disposed h, which it only borrows/],
    ['a disposed target', (h, { labels }) => labels?.dispose() ?? tf.mean(h), /fn disposed the target 'labels'/],
    ['a disposed weight', (h, _t, [w]) => w?.dispose() ?? tf.mean(h), /fn disposed 'w', which it only borrows/],
  ])('reports its name for %s', (_, fn, message) => {
    const parameters = [createScope(1).parameter('w', [2], ones)];
    const head = tapeHead({ name: 'aux', inputShape: shape, parameters, fn: fn as never });
    const h = tf.ones([3, ...shape]) as tf.Tensor4D;
    const request = { mode: trainingMode, weight: 1, input: true, clock: startOfTraining };
    const failure = reasonOf(() => head.evaluate(h, targets(), request));
    expect(failure).toMatch(/^tapeHead 'aux': /);
    expect(failure).toMatch(message);
  });

  it.each<[string, object, RegExp]>([
    ['an unknown option', { read: ['labels'] }, /^Unknown option of tapeHead 'aux' 'read'/],
    ['targets that are no list', { reads: 'labels' }, /option 'reads' is 'labels'; allowed: a list of targets/],
    ['no function', { fn: undefined }, /option 'fn' is undefined; allowed: a function/],
    ['parameters that are no list', { parameters: { w: 1 } }, /option 'parameters' is {"w":1}; allowed: a list/],
    [
      'the name of a parameter',
      { parameters: ['w'] },
      /entry 0 of option 'parameters' is 'w'; allowed: decl.*scope\.par/,
    ],
    [
      'no initializer',
      { parameters: [{ name: 'w', shape: [2] }] },
      /entry 0 .* is {"name":"w","shape":\[2\]}; allowed/,
    ],
    ['a tensor as statistic', { statistics: [tf.zeros([2])] }, /entry 0 of option 'statistics' is a tensor; allowed/],
    ['a variable', { parameters: [tf.variable(tf.zeros([2]))] }, /entry 0 of option 'parameters' is a tensor; allowed/],
  ])('rejects %s when it is created', (_, options, message) => {
    const create = () =>
      tapeHead({ name: 'aux', inputShape: shape, fn: (h: tf.Tensor) => tf.mean(h), ...options } as never);
    expect(reasonOf(create)).toMatch(message);
  });

  it('keeps the original error as the cause', () => {
    const original = new Error('boom');
    const fail = () => {
      throw original;
    };
    const head = tapeHead({ name: 'aux', inputShape: shape, fn: fail, predict: fail });
    const h = tf.ones([3, ...shape]) as tf.Tensor4D;
    for (const call of [() => head.measure?.(h, targets()), () => head.predict?.(h)]) {
      expect(call).toThrow(/tapeHead 'aux': (fn|predict) failed: boom/);
      expect(call).toThrow(expect.objectContaining({ cause: original }));
    }
  });
});
