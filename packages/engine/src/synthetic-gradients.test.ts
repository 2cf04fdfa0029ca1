import { type HeadFactory, type Objective, type Span, startOfTraining, type TrainingPlan } from '@localgrad/core';
import { conv2d, relu } from '@localgrad/nn/blocks';
import { synthesizingHead } from '@localgrad/nn/heads';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type CompileOptions, compilePlan } from './compile.js';
import { createExecutor } from './executor.js';
import { createLiteralExecutor } from './literal.js';
import { partOf } from './part.js';
import { classes, headFactory } from './plain-network.fixture.js';
import { plainModules, randomBatch, recorder } from './train-step.fixture.js';
import { createTrainStep } from './train-step.js';
import { phaseWork } from './work.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Synthesizes with a convolution, ReLU and another convolution, all of random weights. */
const synthesizer: HeadFactory = {
  name: 'synthesizer',
  build: ({ inputShape }, scope) => {
    const layer = (name: string) =>
      conv2d({ name, scope, layer: name, inputShape, channels: inputShape[2], kernelSize: 3 });
    return synthesizingHead({
      name: 'synthesizer',
      blocks: [layer('first'), relu('relu', inputShape), layer('second')],
    });
  },
};

interface Loss {
  readonly span: Span;
  readonly synthesizes?: boolean;
  readonly weight?: number;
}

const decoupled: readonly Loss[] = [
  { span: [0, 0], synthesizes: true },
  { span: [1, 1], synthesizes: true },
  { span: [2, 2] },
];

interface Setting extends Omit<CompileOptions, 'scope'> {
  readonly losses?: readonly Loss[];
  readonly frozen?: readonly number[];
  readonly factory?: HeadFactory;
}

function compile({ losses = decoupled, frozen, factory = synthesizer, ...options }: Setting = {}) {
  const scope = createScope(4);
  const network = plainModules(scope);
  const objectives = losses.map(({ span, synthesizes = false, weight = 1 }, index): Objective => {
    const key = `loss${index}`;
    return { id: key, role: 'independent', span, weight, head: { key, factory: synthesizes ? factory : headFactory } };
  });
  const phases = frozen && { phases: [{ name: 'only', frozen }], phaseAt: () => 'only' };
  const plan: TrainingPlan = { method: 'test', objectives, hooks: [], ...(phases === undefined ? {} : { phases }) };
  return compilePlan(network, plan, { scope, ...options });
}

function gradientsOf(setting: Setting, procedure: 'engine' | 'literal' = 'engine') {
  const compiled = compile(setting);
  const batch = randomBatch(1);
  const gradients = new Map<string, tf.Tensor>();
  const { losses } = (procedure === 'engine' ? createExecutor : createLiteralExecutor)(compiled).step(batch, {
    onGradients: (group) => {
      for (const { parameter, gradient } of group) gradients.set(parameter.name, gradient);
    },
  });
  return {
    compiled,
    batch,
    gradients,
    losses: [...losses].map(([id, loss]) => [id, Number(loss.dataSync()[0])] as const),
  };
}

function expectClose(found: ReadonlyMap<string, tf.Tensor>, wanted: ReadonlyMap<string, tf.Tensor>): void {
  expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort());
  for (const [name, gradient] of wanted) {
    const other = found.get(name) ?? tf.scalar(Number.NaN);
    const error = Number(tf.max(tf.abs(tf.sub(other, gradient))).dataSync()[0]);
    expect(error, name).toBeLessThan(1e-5 * Math.max(1e-3, Number(tf.max(tf.abs(gradient)).dataSync()[0])));
  }
}

/** The definition in plain TensorFlow.js: modules of one convolution and ReLU, on detached inputs. */
function byDefinition({ compiled, batch }: Pick<ReturnType<typeof gradientsOf>, 'compiled' | 'batch'>) {
  const weightOf = (name: string): tf.Tensor => compiled.parameters.get(name)?.value ?? tf.scalar(Number.NaN);
  const convolve = (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) =>
    tf.add<tf.Tensor4D>(tf.conv2d(x as tf.Tensor4D, weight as tf.Tensor4D, 1, 'same'), bias);
  const result = new Map<string, tf.Tensor>();
  const losses = new Map<string, number>();
  const keep = (names: readonly string[], gradients: readonly tf.Tensor[]) => {
    for (const [index, name] of names.entries()) result.set(name, gradients[index] ?? tf.scalar(Number.NaN));
  };
  const namesOf = (prefix: string, layers: readonly string[]) =>
    layers.flatMap((layer) => [`${prefix}${layer}.weight`, `${prefix}${layer}.bias`]);
  const predict = (h: tf.Tensor, [a, b, c, d]: readonly tf.Tensor[]) =>
    convolve(tf.relu(convolve(h, a as tf.Tensor, b as tf.Tensor)), c as tf.Tensor, d as tf.Tensor);
  let h: tf.Tensor = batch.images;
  let below: { readonly h: tf.Tensor; readonly head: string } | undefined;
  for (const module of [0, 1, 2]) {
    const own = namesOf('', [`b${module}`]);
    const head = `heads.loss${module}.`;
    const others = module === 2 ? namesOf(head, ['fc']) : namesOf(head, ['first', 'second']);
    const run = (x: tf.Tensor, [weight, bias]: readonly tf.Tensor[]) =>
      tf.relu(convolve(x, weight as tf.Tensor, bias as tf.Tensor));
    const output = run(h, own.map(weightOf));
    const synthetic = module === 2 ? undefined : predict(output, others.map(weightOf));
    /** What the module minimizes: its loss, or its output times the synthetic gradient. */
    const minimized = (...[x, ...weights]: tf.Tensor[]): tf.Scalar => {
      const y = run(x as tf.Tensor, weights.slice(0, 2));
      if (synthetic !== undefined) return tf.sum<tf.Scalar>(tf.mul(y, synthetic));
      const scores = tf.add(
        tf.matMul(tf.mean<tf.Tensor2D>(y, [1, 2]), weights[2] as tf.Tensor2D),
        weights[3] as tf.Tensor,
      );
      const wanted = tf.oneHot(batch.targets.labels as tf.Tensor1D, 3);
      return tf.neg<tf.Scalar>(tf.mean<tf.Scalar>(tf.sum(tf.mul(tf.logSoftmax(scores), wanted), 1)));
    };
    const trained = module === 2 ? [...own, ...others] : own;
    const { value, grads } = tf.valueAndGrads(minimized as (...tensors: tf.Tensor[]) => tf.Scalar)([
      h,
      ...trained.map(weightOf),
    ]);
    if (module === 2) losses.set('loss2', Number(value.dataSync()[0]));
    keep(trained, grads.slice(1));
    if (below !== undefined) {
      const { h: read, head: prefix } = below;
      const names = namesOf(prefix, ['first', 'second']);
      const gradient = grads[0] ?? tf.scalar(Number.NaN);
      const error = (...weights: tf.Tensor[]) =>
        tf.div<tf.Scalar>(tf.sum(tf.square(tf.sub(predict(read, weights), gradient))), batch.images.shape[0]);
      const lesson = tf.valueAndGrads(error)(names.map(weightOf));
      losses.set(`loss${module - 1}`, Number(lesson.value.dataSync()[0]));
      keep(names, lesson.grads);
    }
    below = { h: output, head };
    h = output;
  }
  return { gradients: result, losses };
}

describe('synthetic gradients', () => {
  it('trains modules by the prediction, and heads by the gradient of the next module', () => {
    const found = gradientsOf({});
    const wanted = byDefinition(found);
    expectClose(found.gradients, wanted.gradients);
    expect(found.losses.map(([id]) => id).sort()).toEqual(['loss0', 'loss1', 'loss2']);
    for (const [id, loss] of found.losses) expect(loss, id).toBeCloseTo(Number(wanted.losses.get(id)), 5);
  });

  it.each<[string, Setting]>([
    ['as decoupled modules', {}],
    ['with recomputation', { memory: 'recompute' }],
    [
      'with a window after the head, which teaches too',
      { losses: [{ span: [0, 0], synthesizes: true }, { span: [1, 1] }, { span: [1, 2] }, { span: [2, 2] }] },
    ],
    [
      'with a head after two modules',
      { losses: [{ span: [0, 1], synthesizes: true }, { span: [0, 0] }, { span: [2, 2] }] },
    ],
    [
      'with weights',
      { losses: [{ span: [0, 0], synthesizes: true, weight: 0.25 }, { span: [1, 1], weight: 2 }, { span: [2, 2] }] },
    ],
  ])('has the gradients of the reference procedure: %s', (_, setting) => {
    const [engine, literal] = [gradientsOf(setting), gradientsOf(setting, 'literal')];
    expectClose(engine.gradients, literal.gradients);
    expect(engine.losses.map(([id]) => id).sort()).toEqual(literal.losses.map(([id]) => id).sort());
  });

  it('adds micro-batches up to the gradients of the batch', () => {
    const run = (accumulate: number) => {
      const { optimizer, gradients } = recorder();
      createTrainStep({ compiled: compile(), optimizer, accumulate }).run(randomBatch(1), startOfTraining);
      return new Map([...gradients()].map(([name, values]) => [name, tf.tensor(values)]));
    };
    expectClose(run(4), run(1));
  });

  it('counts a second forward pass of the heads as work', () => {
    const work = (synthesizes: boolean) => {
      const compiled = compile({
        losses: [{ span: [0, 0], synthesizes }, { span: [1, 1] }, { span: [2, 2] }],
        factory: synthesizer,
      });
      return phaseWork(compiled, compiled.phases[0]);
    };
    const pixels = 6 * 6;
    const [convolutions, classifier] = [2 * pixels * 9 * 3 * 3, 3 * classes];
    expect(work(true) - work(false)).toBe(4 * convolutions - 3 * classifier);
  });

  it('hands gradients from part to part', () => {
    const whole = gradientsOf({});
    const found = new Map<string, tf.Tensor>();
    const onGradients = (
      group: readonly { readonly parameter: { readonly name: string }; readonly gradient: tf.Tensor }[],
    ) => {
      for (const { parameter, gradient } of group) found.set(parameter.name, gradient);
    };
    const { compiled, batch } = whole;
    const never = () => {
      throw new Error('never');
    };
    let output: tf.Tensor4D | undefined;
    let sent: tf.Tensor4D | undefined;
    const lower = partOf(compiled, [0, 0]);
    const upper = createExecutor(partOf(compiled, [1, 2]), {
      crossings: { send: (cotangent) => (sent = tf.keep(cotangent.clone())), receive: never },
    });
    createExecutor(lower, {
      onOutput: ({ images }) => (output = tf.keep(images.clone())),
      crossings: {
        send: never,
        receive: () => {
          if (output === undefined) throw new Error('no output');
          upper.step({ images: output, targets: batch.targets }, { onGradients });
          return sent ?? never();
        },
      },
    }).step(batch, { onGradients });
    expectClose(found, whole.gradients);
  });
});

describe('plans with synthetic gradients', () => {
  const wrapping: HeadFactory = {
    name: 'wrapping',
    build: (context, scope) => ({ ...synthesizer.build(context, scope), synthesize: undefined as never }),
  };
  const unread: HeadFactory = {
    name: 'unread',
    build: (context, scope) => ({ ...synthesizer.build(context, scope), reads: ['labels'] }),
  };
  const reader: HeadFactory = {
    name: 'reader',
    build: (context, scope) => ({ ...synthesizer.build(context, scope), reads: ['outputGradient', 'moduleInput'] }),
  };

  it.each<[string, Setting, RegExp]>([
    [
      'on the last module',
      { losses: [{ span: [0, 1] }, { span: [2, 2], synthesizes: true }] },
      /but 2 is the last module/,
    ],
    [
      'below a window',
      { losses: [{ span: [0, 0], synthesizes: true }, { span: [0, 1] }, { span: [2, 2] }] },
      /but loss 'loss1' sends its gradient from module 1 down to 0, past this head/,
    ],
    [
      'before a module without a loss',
      { losses: [{ span: [0, 0], synthesizes: true }, { span: [2, 2] }] },
      /no loss of phase 'training' trains that module/,
    ],
    ['before a frozen module', { frozen: [1] }, /no loss of phase 'only' trains that module/],
    [
      'without a method',
      { factory: wrapping },
      /reads the target 'outputGradient', which only heads with a method 'synthesize' receive/,
    ],
    ['without its target', { factory: unread }, /does not read the target 'outputGradient'/],
    ["with the module's input", { factory: reader }, /it may not do both/],
    [
      'with late gradients',
      { losses: [{ span: [0, 0], synthesizes: true }, { span: [1, 2] }], gradientDelay: { steps: 1 } },
      /cannot be delayed, because its heads learn from those of the same step/,
    ],
  ])('are rejected %s', (_, setting, message) => {
    expect(() => compile(setting)).toThrow(message);
  });

  it('reports what a head returns in place of a gradient', () => {
    const wrong: HeadFactory = {
      name: 'wrong',
      build: (context, scope) => ({ ...synthesizer.build(context, scope), synthesize: () => tf.zeros([8, 1, 1, 1]) }),
    };
    expect(() => gradientsOf({ factory: wrong })).toThrow(
      /head 'synthesizer' .*: synthesize returned a tensor of shape 8×1×1×1 for an input of shape 8×6×6×3; it must return a tensor of that shape/,
    );
  });
});
